"""Tables: jobs, processes of the service."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0004"
down_revision = "0003"
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


def row_id() -> sa.types.TypeEngine[int]:
    """A number the database counts up on SQLite, too."""
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "jobs",
        sa.Column("id", row_id(), autoincrement=True, nullable=False),
        sa.Column("action", word(32), nullable=False),
        sa.Column("status", word(16), nullable=False),
        sa.Column("target", long_text(), nullable=False),
        sa.Column("operator", word(64), nullable=False),
        sa.Column("request_id", word(32), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger()),
        sa.Column("expected", sa.BigInteger(), nullable=False),
        sa.Column("expected_more", sa.Boolean(), nullable=False),
        sa.Column("done", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
        sa.Column("position", long_text()),
        sa.Column("until_id", sa.BigInteger(), nullable=False),
        sa.Column("results", long_text(), nullable=False),
        sa.Column("lease_owner", word(128)),
        sa.Column("lease_until", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sqlite_autoincrement=True,
        **MYSQL_OPTIONS,
    )
    op.create_index("ix_jobs_status_id", "jobs", ["status", "id"])
    op.create_table(
        "instances",
        sa.Column("name", word(128), nullable=False),
        sa.Column("version", word(32), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("pauses", long_text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_instances"),
        **MYSQL_OPTIONS,
    )


def downgrade() -> None:
    """Drop the tables, and all that is in them."""
    op.drop_table("instances")
    op.drop_table("jobs")
