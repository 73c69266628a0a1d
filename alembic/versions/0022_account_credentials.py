"""Table: accounts' own access tokens and tickets, sealed."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0022"
down_revision = "0021"
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
        "account_credentials",
        sa.Column("appid", word(64), nullable=False),
        sa.Column("kind", word(32), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("obtained_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("next_refresh_at", sa.BigInteger()),
        sa.Column("last_used_at", sa.BigInteger(), nullable=False),
        sa.Column("refresh_failures", sa.Integer(), nullable=False),
        sa.Column("last_error_code", sa.BigInteger()),
        sa.Column("last_error_kind", word(64)),
        sa.Column("last_error_at", sa.BigInteger()),
        sa.Column("forced_at", sa.BigInteger()),
        sa.Column("forced_count", sa.Integer(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("lease_owner", word(128)),
        sa.Column("lease_until", sa.BigInteger()),
        sa.PrimaryKeyConstraint("appid", "kind", name="pk_account_credentials"),
        **MYSQL_OPTIONS,
    )


def downgrade() -> None:
    """Drop the table: WeChat gives everything in it again."""
    op.drop_table("account_credentials")
