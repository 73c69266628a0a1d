"""A file of settings."""

import pytest


@pytest.fixture
def toml(tmp_path):
    """Write a settings file."""

    def write(text, name="settings.toml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write
