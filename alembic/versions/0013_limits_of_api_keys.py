"""Columns and table: what API keys are good for, and their uses by day."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0013"
down_revision = "0012"
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


def columns() -> list[sa.Column[object]]:
    """Return the new columns. None has a default: keys that there are keep what they were good for."""
    return [
        sa.Column("appids", sa.Text()),
        sa.Column("rights", word(255)),
        sa.Column("expires_at", sa.BigInteger()),
        sa.Column("per_minute", sa.Integer()),
    ]


def upgrade() -> None:
    """Add the columns and make the table."""
    for column in columns():
        op.add_column("api_keys", column)
    op.create_table(
        "api_key_uses",
        sa.Column("day", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", word(64), nullable=False),
        sa.Column("appid", word(64), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "name", "appid", name="pk_api_key_uses"),
        **MYSQL_OPTIONS,
    )


def downgrade() -> None:
    """Drop them. Keys that were limited are good for all tokens then."""
    op.drop_table("api_key_uses")
    for column in reversed(columns()):
        op.drop_column("api_keys", column.name)
