"""The table of what happened to users, counted by day."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0021"
down_revision = "0020"
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
        "user_history",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("openid", word(128), nullable=False),
        sa.Column("appid", word(64), nullable=False),
        sa.Column("day", sa.BigInteger(), nullable=False),
        sa.Column("kind", word(32), nullable=False),
        sa.Column("name", word(64), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("rid", word(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_user_history"),
        sa.UniqueConstraint(
            "openid", "appid", "day", "kind", "name", name="uq_user_history_openid_appid_day_kind_name"
        ),
        **MYSQL_OPTIONS,
    )
    op.create_index("ix_user_history_day_kind_name", "user_history", ["day", "kind", "name"])


def downgrade() -> None:
    """Drop the table, and all that is in it."""
    op.drop_table("user_history")
