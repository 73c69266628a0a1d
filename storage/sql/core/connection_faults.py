"""Why no connection to a database came about, where that is known, and what to do about it."""

from enum import Enum

__all__ = ["ConnectionFault"]


class ConnectionFault(Enum):
    """The reasons; each is a sentence with a place for where the database is, and for its name."""

    NOTHING_LISTENS = "The database {place} does not answer: nothing listens at that address"
    UNKNOWN_HOST = "The database {place} does not answer: its host's name is not known"
    NO_SUCH_DATABASE = 'The server {place} has no database "{name}": make it by CREATE DATABASE {name}'
    ACCESS_DENIED = "The server {place} refuses the user or the password of DATABASE_URL"

    def sentence(self, place: str, name: str | None) -> str:
        """Return it, without its full stop.

        Args:
            place: What the database is and where.
            name: The database's name.
        """
        return self.value.format(place=place, name=name or "")
