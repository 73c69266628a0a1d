"""Reads the settings: from the environment, from files that it names, and from a TOML file.

A setting `NAME` is read from the variable `WECHAT_OPENID_NAME`, else from the file that `WECHAT_OPENID_NAME_FILE`
names, else from `name` in the file given by `--config`, else it has its default.
"""

import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from service.settings.sign_in import sign_in_problems
from service.settings.sources import PREFIX, Raw, SettingsError, raw_value, read_toml, unknown_names
from service.settings.table import Settings
from storage.base.quoting import quoted

__all__ = ["load_settings", "load_words", "parse_words", "restart_settings", "secrets_in"]


def restart_settings() -> list[str]:
    """Return the names of the settings that a reload leaves as they were."""
    return [row.name for row in fields(Settings) if row.metadata["needs_restart"]]


def secrets_in(config: Path) -> list[str]:
    """Return the names of the secrets that a TOML file of settings holds.

    Raises:
        SettingsError: It cannot be read.
    """
    given = read_toml(config)
    return [row.name for row in fields(Settings) if not row.repr and given.get(row.name)]


def load_settings(config: Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings.

    Args:
        config: A TOML file of settings in lower case, such as `listen = "127.0.0.1:8888"`.
        environment: Instead of the process's own environment.

    Raises:
        SettingsError: Some are unknown or cannot be parsed. The text lists all of them.
    """
    return parse_words(load_words(config, environment))


def load_words(config: Path | None = None, environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Read the settings as the environment would write them, each by its name in lower case, secrets included.

    Raises:
        SettingsError: Some are unknown or cannot be parsed. The text lists all of them.
    """
    environment = os.environ if environment is None else environment
    from_file = read_toml(config) if config else {}
    rows = fields(Settings)
    problems = unknown_names(environment, from_file, [row.name for row in rows])
    found = {}
    for row in rows:
        try:
            found[row.name] = raw_value(row, environment, from_file)
        except ValueError as error:
            problems.append(f"{PREFIX}{row.name.upper()} must be {error}")
    _parse(found, problems)
    return {name: raw.text for name, raw in found.items()}


def parse_words(words: Mapping[str, str]) -> Settings:
    """Parse settings that were read before, perhaps in another process.

    Raises:
        SettingsError: Some cannot be parsed any more: a folder that one names has gone, say.
    """
    # Where each came from is not known here, so none is repeated.
    return Settings(**_parse({name: Raw(text, is_of_value_file=True) for name, text in words.items()}, []))


def _parse(found: Mapping[str, Raw], problems: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for row in fields(Settings):
        raw = found.get(row.name)
        if raw is not None:
            try:
                values[row.name] = row.metadata["parse"](raw.text)
            except (ValueError, OSError) as error:
                is_shown = row.metadata["quotable"] and not raw.is_of_value_file
                given = f", not {quoted(raw.text)}" if is_shown else ""
                problems.append(f"{PREFIX}{row.name.upper()} must be {error}{given}")
    if values.get("id_token_audience") and not values.get("public_url"):
        problems.append(f"{PREFIX}ID_TOKEN_AUDIENCE needs {PREFIX}PUBLIC_URL, which identity tokens name as issuer")
    if values.get("event_forward_url") and not values.get("event_token"):
        problems.append(f"{PREFIX}EVENT_FORWARD_URL needs {PREFIX}EVENT_TOKEN, by which messages are known as WeChat's")
    problems += sign_in_problems(values)
    if problems:
        raise SettingsError("\n".join(problems))
    return values
