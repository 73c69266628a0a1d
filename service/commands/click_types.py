"""`Parsed`: a type of options whose values are parsed as those of settings are."""

from collections.abc import Callable
from typing import TypeVar

import click

__all__ = ["Parsed"]

T = TypeVar("T")


class Parsed(click.ParamType[T]):
    """The type of values that a function parses.

    Args:
        name: How help shows it, such as `HOST:PORT`.
        parse: Parses it, or raises ValueError with the form it must have.
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
