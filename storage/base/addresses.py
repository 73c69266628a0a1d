"""Explains faults in the address of a store without quoting it: it may hold a password."""

import re

__all__ = ["credentials_and_rest", "unescaped_at", "unescaped_characters"]

#: User and password up to the first `@`, as SQLAlchemy reads them, and what follows. A user's name may hold an `@`.
_CREDENTIALS = re.compile(r"(?P<credentials>[^:/@?#]*(?:@[^:/@?#]*)?:[^@]*|[^:/@?#]*)@(?P<rest>.*)", re.DOTALL)
#: What ends the part before a host to most readers of URLs, and must be percent-encoded in a password.
_ENDINGS = {"/": "%2F", "#": "%23", "?": "%3F"}


def credentials_and_rest(url: str) -> tuple[str, str]:
    """Return what stands before the host of a URL, and what begins with the host."""
    whole = url.partition("://")[2]
    found = _CREDENTIALS.match(whole)
    return (found["credentials"], found["rest"]) if found else ("", whole)


def unescaped_at(url: str) -> str | None:
    """Return what to do about a password that holds an `@` as it is, or None where it holds none.

    A reader takes what stands before the first `@` for the password, and its tail for a host, whose name is no secret.
    """
    credentials, rest = credentials_and_rest(url)
    if ":" not in credentials:
        return None
    place, _, query = rest.partition("?")
    names = (option.partition("=")[0] for option in query.split("&"))
    if "@" in place or any("@" in name for name in names):
        return "its password holds an '@' as it is: write %40 for it"
    return None


def unescaped_characters(url: str) -> str | None:
    """Return what to do about a password that holds an `@`, `/`, `#` or `?` as it is, or None where it holds none.

    For readers that take any of these for the end of what stands before the host.
    """
    about_at = unescaped_at(url)
    if about_at:
        return about_at
    credentials, _ = credentials_and_rest(url)
    for character, written in _ENDINGS.items():
        if character in credentials:
            return f"its password holds a '{character}' as it is: write {written} for it"
    return None
