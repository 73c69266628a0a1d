"""Types of columns: what they are for, and what that is on each database.

What MySQL and MariaDB need is said in SQLAlchemy's common types, so that a process that uses another database does not
load what is there for these.
"""

from sqlalchemy import VARBINARY, BigInteger, Integer, LargeBinary, String, Text
from sqlalchemy.types import TypeEngine

__all__ = ["digest", "long_text", "row_id", "searched", "word"]


def word(length: int) -> TypeEngine[str]:
    """Text that is compared exactly: MySQL's default collations take `o1A` and `o1a` for the same openid."""
    return String(length).with_variant(String(length, collation="utf8mb4_bin"), "mysql", "mariadb")


def searched(length: int, *, exact: bool = True) -> TypeEngine[str]:
    """Text that is searched by how it begins: PostgreSQL's indexes serve that only in the order of the bytes.

    Args:
        length: In characters.
        exact: Whether case counts on MySQL, too.
    """
    in_bytes = String(length, collation="C")
    return (word(length) if exact else String(length)).with_variant(in_bytes, "postgresql")


class _MediumText(Text):
    """MySQL's type of this name."""

    __visit_name__ = "MEDIUMTEXT"


def long_text() -> TypeEngine[str]:
    """Text of any length: MySQL's TEXT holds 65,535 bytes."""
    return Text().with_variant(_MediumText(), "mysql", "mariadb")


def digest() -> TypeEngine[bytes]:
    """A hash value: MySQL indexes a VARBINARY whole, a BLOB only by a prefix."""
    return LargeBinary(64).with_variant(VARBINARY(64), "mysql", "mariadb")


def row_id() -> TypeEngine[int]:
    """A rising number: only a column declared INTEGER is SQLite's row id."""
    return BigInteger().with_variant(Integer(), "sqlite")
