"""Whether a store's tables fit the code."""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["SchemaReport", "SchemaState"]


class SchemaState(StrEnum):
    """Whether a store's tables fit the code."""

    CURRENT = "current"
    EMPTY = "empty"
    BEHIND = "behind"
    AHEAD = "ahead"


@dataclass(frozen=True, slots=True)
class SchemaReport:
    """A store's schema: what it is at, and what the code expects."""

    state: SchemaState
    current: str | None
    expected: str | None
