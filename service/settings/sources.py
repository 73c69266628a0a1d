"""Where settings are read: variables of the environment, files that these name, and a TOML file."""

import codecs
import difflib
import json
import logging
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

__all__ = ["PREFIX", "Raw", "SettingsError", "raw_value", "read_toml", "unknown_names"]

PREFIX = "WECHAT_OPENID_"

#: Kubernetes gives every container such variables about a service that is named wechat-openid ("service links").
_SERVICE_LINK = re.compile(rf"{PREFIX}(?:SERVICE_HOST|SERVICE_PORT(?:_.*)?|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_.*)?)?)$")


_logger = logging.getLogger(__name__)


class Row(Protocol):
    """A row of the table of settings: a field of a dataclass."""

    @property
    def name(self) -> str:
        """The setting's name in lower case."""
        ...

    @property
    def metadata(self) -> Mapping[Any, Any]:
        """Its default among other things."""
        ...


class Raw(NamedTuple):
    """A setting as it was found.

    Attributes:
        text: What is to be parsed.
        is_of_value_file: Whether it is what a file holds that a variable names, as secrets are given.
    """

    text: str
    is_of_value_file: bool = False


class SettingsError(Exception):
    """Settings that cannot work. The text names each one and says what it should be; it never quotes a secret."""


def raw_value(row: Row, environment: Mapping[str, str], from_file: Mapping[str, str]) -> Raw:
    """Return a setting's text from the first place that has one.

    An empty variable, as compose files leave it, has none where there is a file.

    Raises:
        ValueError: The file cannot be read.
    """
    variable = PREFIX + row.name.upper()
    given = environment.get(variable, "").strip()
    has_file = bool(environment.get(f"{variable}_FILE"))
    if given and has_file:
        _logger.warning("%s and %s_FILE are both set: the file is not read", variable, variable)
    if given or (variable in environment and not has_file):
        return Raw(given)
    if f"{variable}_FILE" in environment:
        path = environment[f"{variable}_FILE"]
        # It is not quoted: by mistake the variable may hold the secret itself.
        named = f"the file that {variable}_FILE names"
        try:
            return Raw(_read_text(Path(path)).strip(), is_of_value_file=True)
        except OSError as error:
            raise ValueError(f"readable in {named}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise ValueError(f"text in UTF-8 in {named}") from None
        except ValueError:  # a NUL in the path
            raise ValueError(f"readable in {named}") from None
    default: str = row.metadata["default"]
    return Raw(from_file.get(row.name, default))


def read_toml(path: Path) -> dict[str, str]:
    """Read a TOML file into the words that the environment would hold."""
    try:
        content = tomllib.loads(_read_text(path).replace("\r\n", "\n"))
    except OSError as error:
        raise SettingsError(f"the settings file {path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"the settings file {path} is not TOML: {error}") from None
    words = {}
    for name, value in content.items():
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            words[name] = ",".join(value)
        elif isinstance(value, list | dict):
            words[name] = json.dumps(value)
        else:
            words[name] = str(value)
    return words


def unknown_names(environment: Mapping[str, str], from_file: Mapping[str, str], known: list[str]) -> list[str]:
    """Complain of names that mean nothing: a misspelt setting would otherwise be ignored in silence."""
    variables = {f"{PREFIX}{name.upper()}{suffix}" for name in known for suffix in ("", "_FILE")}
    unknown = {
        name: difflib.get_close_matches(name, variables, n=1)
        for name in environment
        if name.startswith(PREFIX) and name not in variables and not _SERVICE_LINK.match(name)
    }
    unknown |= {name: difflib.get_close_matches(name.lower(), known, n=1) for name in from_file if name not in known}
    return [
        f"{name} is not a setting" + (f"; did you mean {near[0]}?" if near else "") for name, near in unknown.items()
    ]


def _read_text(path: Path) -> str:
    """Read a file as editors write it, those of Windows included: with a mark of UTF-8 or UTF-16, or in GB 18030.

    Raises:
        UnicodeDecodeError: It is none of these.
    """
    content = path.read_bytes()
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("gb18030")
