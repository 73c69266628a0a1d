"""Tables: how calls to WeChat end."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0012"
down_revision = "0011"
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


def long_text() -> sa.types.TypeEngine[str]:
    """Text of any length."""
    return sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "call_outcomes",
        sa.Column("appid", word(64), nullable=False),
        sa.Column("endpoint", word(32), nullable=False),
        sa.Column("last_success_at", sa.BigInteger()),
        sa.Column("accepted_at", sa.BigInteger()),
        sa.Column("last_failure_at", sa.BigInteger()),
        sa.Column("errcode", sa.BigInteger()),
        sa.Column("failing_since", sa.BigInteger()),
        sa.PrimaryKeyConstraint("appid", "endpoint", name="pk_call_outcomes"),
        **MYSQL_OPTIONS,
    )
    op.create_table(
        "call_failures",
        sa.Column("appid", word(64), nullable=False),
        sa.Column("endpoint", word(32), nullable=False),
        sa.Column("errcode", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("latest", long_text(), nullable=False),
        sa.PrimaryKeyConstraint("appid", "endpoint", "errcode", name="pk_call_failures"),
        **MYSQL_OPTIONS,
    )


def downgrade() -> None:
    """Drop the tables, and all that is in them."""
    op.drop_table("call_failures")
    op.drop_table("call_outcomes")
