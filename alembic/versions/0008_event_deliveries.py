"""Table: pushed events that have been acted on."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

MYSQL_OPTIONS: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_row_format": "DYNAMIC",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
    "mariadb_row_format": "DYNAMIC",
}


def word(length: int) -> sa.types.TypeEngine[str]:
    """Text that is compared exactly on MySQL and MariaDB, too."""
    exact = mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin")
    return sa.String(length).with_variant(exact, "mysql", "mariadb")


def digest() -> sa.types.TypeEngine[bytes]:
    """A hash value, which MySQL and MariaDB can index as a whole."""
    return sa.LargeBinary(64).with_variant(mysql.VARBINARY(64), "mysql", "mariadb")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "event_deliveries",
        sa.Column("digest", digest(), nullable=False),
        sa.Column("owner", word(64), nullable=False),
        sa.Column("claimed_at", sa.BigInteger(), nullable=False),
        sa.Column("done_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("digest", name="pk_event_deliveries"),
        **MYSQL_OPTIONS,
    )
    op.create_index("ix_event_deliveries_claimed_at", "event_deliveries", ["claimed_at"])


def downgrade() -> None:
    """Drop the table, and all that is in it."""
    op.drop_table("event_deliveries")
