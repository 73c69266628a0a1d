"""Table: ends of visitors' sessions."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0011"
down_revision = "0010"
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


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "session_ends",
        sa.Column("openid", word(128), nullable=False),
        sa.Column("appid", word(64), nullable=False),
        sa.Column("not_before", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("openid", "appid", name="pk_session_ends"),
        **MYSQL_OPTIONS,
    )
    op.create_index("ix_session_ends_not_before", "session_ends", ["not_before"])


def downgrade() -> None:
    """Drop the table, and all that is in it."""
    op.drop_table("session_ends")
