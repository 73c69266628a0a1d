"""The one step of the build that pyproject.toml cannot declare."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithMigrations(build_py):
    """Put the migrations inside the `storage.sql` package of a wheel.

    In a checkout they live in `alembic/`, where Alembic users look for them. A wheel cannot carry that
    folder at its top level: it would be laid over the Alembic library itself.
    """

    def run(self) -> None:
        """Build as usual, then copy the migrations."""
        super().run()
        if not self.editable_mode:
            shutil.copytree(
                Path(__file__).parent / "alembic",
                Path(self.build_lib, "storage", "sql", "migrations"),
                ignore=shutil.ignore_patterns("__pycache__"),
                dirs_exist_ok=True,
            )


setup(cmdclass={"build_py": BuildWithMigrations})
