"""Quotes a value that is refused, so that a person finds it again, without what may be a secret in it."""

import re

__all__ = ["quoted"]

#: The longest text that is quoted whole, in characters.
_LONGEST = 60
#: What stands before user and password in a URL.
_SCHEME = re.compile(r"[a-z+]{1,20}://")
#: Where arguments of a URL, assignments and JSON begin, and with them what somebody put in the wrong place.
_ARGUMENTS = re.compile(r"""(?<=[?#={"']).+""", re.DOTALL)
#: AppSecrets, keys and tokens are random words; names of hosts, zones and folders are hardly ever as long.
_RANDOM_WORD = re.compile(r"[A-Za-z0-9_+=-]{20,}")


def quoted(text: str) -> str:
    """Return a value as a message may show it: in quotes, on one line, shortened, `…` for what may be a secret."""
    before, at, after = text.rpartition("@")  # a password may hold an `@` as it is
    scheme = _SCHEME.match(before)
    shown = f"{scheme[0] if scheme else ''}…@{after}" if at else text
    shown = _ARGUMENTS.sub("…", shown, count=1)
    shown = _RANDOM_WORD.sub("…", shown)
    if len(shown) > _LONGEST:
        shown = f"{shown[:_LONGEST]}…"
    return repr(shown)
