"""Values of options that are read as settings are."""

from collections.abc import Callable
from typing import TypeVar

import click

__all__ = ["Parsed"]

T = TypeVar("T")


class Parsed(click.ParamType[T]):
    """A value that a function reads.

    Args:
        name: What help calls it, as `HOST:PORT`.
        parse: Reads it, or raises ValueError with what it must be.
    """

    def __init__(self, name: str, parse: Callable[[str], T]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> T:
        """Return what was read."""
        try:
            return self._parse(str(value))
        except ValueError as error:
            self.fail(f"must be {error}", param, ctx)
