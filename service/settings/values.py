"""What the values of settings may be: each parser reads a text, or raises a ValueError that says what it must be.

No error repeats the text: it may be a secret that was put in the wrong place.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from service.settings.rates import parse_rates
from service.wechat.transports import TransportName
from storage.base.addresses import unescaped_characters

__all__ = [
    "HttpServerName",
    "number_from",
    "one_of",
    "parse_appid",
    "parse_counters",
    "parse_event_aes_key",
    "parse_flag",
    "parse_http_server",
    "parse_optional_file",
    "parse_optional_folder",
    "parse_rate_limit",
    "parse_time_zone",
    "parse_transport",
    "plain_text",
]

#: An EncodingAESKey is 32 bytes in base64, without the padding.
_EVENT_AES_KEY = re.compile(r"[A-Za-z0-9+/]{43}")


_YES = frozenset({"true", "yes", "on", "1"})
_NO = frozenset({"false", "no", "off", "0"})


T = TypeVar("T")

HttpServerName = Literal["llhttp", "tornado"]


def plain_text(text: str) -> str:
    """Take any text."""
    return text


def one_of(*choices: str) -> Callable[[str], str]:
    """Return a parser of these words, in capitals or not."""
    known = {choice.lower(): choice for choice in choices}

    def parse(text: str) -> str:
        if text.lower() not in known:
            raise ValueError(f"one of: {', '.join(choice or 'empty' for choice in choices)}")
        return known[text.lower()]

    return parse


def parse_time_zone(text: str) -> ZoneInfo:
    """Read the name of a time zone."""
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a folder of zones is an OSError
        raise ValueError("the name of a time zone that this machine knows, such as Asia/Shanghai") from None


def parse_transport(text: str) -> TransportName | None:
    """Read the name of a transport, or none."""
    match text:
        case "":
            return None
        case "curl" | "requests":
            return text
        case _:
            raise ValueError("one of: curl, requests; or empty")


def parse_http_server(text: str) -> HttpServerName | None:
    """Read the name of a server, or none."""
    match text:
        case "":
            return None
        case "llhttp" | "tornado":
            return text
        case _:
            raise ValueError("one of: llhttp, tornado; or empty")


def parse_flag(text: str) -> bool:
    """Read a yes or no, however people write it."""
    if text.lower() not in _YES | _NO:
        raise ValueError("true or false")
    return text.lower() in _YES


def parse_optional_file(text: str) -> str:
    """Read the path of a file that is there, or nothing."""
    if text and not Path(text).is_file():
        raise ValueError("an existing file, such as /etc/ssl/certs/ca-certificates.crt, or empty")
    return text


def parse_optional_folder(text: str) -> Path | None:
    """Read the path of a folder that is there, or nothing."""
    if text and not Path(text).is_dir():
        raise ValueError("an existing folder, such as /srv/www, or empty")
    return Path(text) if text else None


def parse_event_aes_key(text: str) -> str:
    """Read one EncodingAESKey or two, or nothing."""
    if text and not all(_EVENT_AES_KEY.fullmatch(key.strip()) for key in text.split(",")):
        raise ValueError(
            "43 letters and digits, as shown in the account's console; two of these separated by a comma; or empty"
        )
    return text


def number_from(kind: Callable[[str], T], low: float, high: float) -> Callable[[str], T]:
    """Return a parser of numbers of a range."""

    def parse(text: str) -> T:
        expected = f"a {'whole ' if kind is int else ''}number from {low} to {high}"
        try:
            value, fits = kind(text), low <= float(text) <= high
        except ValueError:
            raise ValueError(expected) from None
        if not fits:
            raise ValueError(expected)
        return value

    return parse


def parse_rate_limit(text: str) -> str:
    """Check that it is a list of rates, or nothing."""
    parse_rates(text)
    return text


def parse_appid(text: str) -> str:
    """Read an appid, or nothing. People take the original ID of an account for it, or leave spaces in it."""
    if text.startswith("gh_"):
        raise ValueError("an AppID, which is no original ID (原始ID), such as wx0123456789abcdef")
    if any(char.isspace() for char in text):
        raise ValueError("an AppID without spaces, such as wx0123456789abcdef")
    return text


def parse_counters(text: str) -> str:
    """Read where requests are counted."""
    # Whoever opens it would quote an unknown URL, password and all.
    try:
        parts = urlsplit(text)
        known = parts.scheme in {"async+memory", "async+redis", "async+rediss"} and parts.port != 0
    except ValueError:
        known = False
    about_password = unescaped_characters(text)
    if about_password:
        raise ValueError(f"a URL that can be read: {about_password}")
    if not known:
        raise ValueError("async+memory://, async+redis://host:6379 or async+rediss://host:6379")
    return text
