"""`setting`: one row of the table of settings."""

from collections.abc import Callable
from dataclasses import field
from typing import TypeVar, cast

__all__ = ["setting"]

T = TypeVar("T")


def setting(
    default: str,
    parse: Callable[[str], T],
    about: str,
    *,
    secret: bool = False,
    quotable: bool = False,
    needs_restart: bool = False,
) -> T:
    """Describe one row of the table.

    Args:
        default: Its default, as the environment would write it.
        parse: Reads a text, or raises a ValueError that completes "must be …" with an example, and repeats nothing.
        about: What it means, for people.
        secret: Whether it holds a secret, or may: it is left out of `repr`.
        quotable: Whether a refusal says what was given. Not where a right value can hold a secret.
        needs_restart: Whether a reload leaves it as it was.
    """
    metadata = {
        "default": default,
        "parse": parse,
        "about": about,
        "quotable": quotable,
        "needs_restart": needs_restart,
    }
    return cast("T", field(repr=not secret, metadata=metadata))
