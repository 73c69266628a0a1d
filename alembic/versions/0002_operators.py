"""Tables: operators, their sessions, the audit log, attempts to sign in."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0002"
down_revision = "0001"
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
    """A hash value that can be indexed on MySQL and MariaDB, too."""
    return sa.LargeBinary(64).with_variant(mysql.VARBINARY(64), "mysql", "mariadb")


def row_id() -> sa.types.TypeEngine[int]:
    """A number the database counts up on SQLite, too."""
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables and their indexes."""
    op.create_table(
        "operators",
        sa.Column("id", row_id(), autoincrement=True, nullable=False),
        sa.Column("name", word(64), nullable=False),
        sa.Column("password_hash", word(255), nullable=False),
        sa.Column("role", word(16), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("password_changed_at", sa.BigInteger(), nullable=False),
        sa.Column("last_signed_in_at", sa.BigInteger()),
        sa.Column("disabled_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_operators"),
        sa.UniqueConstraint("name", name="uq_operators_name"),
        sqlite_autoincrement=True,
        **MYSQL_OPTIONS,
    )
    op.create_table(
        "operator_sessions",
        sa.Column("id", row_id(), autoincrement=True, nullable=False),
        sa.Column("token_hash", digest(), nullable=False),
        sa.Column("operator_id", sa.BigInteger(), nullable=False),
        sa.Column("began_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("address", word(64), nullable=False),
        sa.Column("user_agent", sa.String(255), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_operator_sessions"),
        sa.UniqueConstraint("token_hash", name="uq_operator_sessions_token_hash"),
        sqlite_autoincrement=True,
        **MYSQL_OPTIONS,
    )
    op.create_index("ix_operator_sessions_operator_id", "operator_sessions", ["operator_id"])
    op.create_table(
        "sign_in_attempts",
        sa.Column("subject", word(96), nullable=False),
        sa.Column("window_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subject", "window_at", name="pk_sign_in_attempts"),
        **MYSQL_OPTIONS,
    )
    op.create_table(
        "audit_log",
        sa.Column("id", row_id(), autoincrement=True, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("operator", word(64), nullable=False),
        sa.Column("action", word(32), nullable=False),
        sa.Column("result", word(16), nullable=False),
        sa.Column("appid", word(64), nullable=False),
        sa.Column("openid", word(128), nullable=False),
        sa.Column("subject", sa.String(128), nullable=False),
        sa.Column("address", word(64), nullable=False),
        sa.Column("user_agent", sa.String(255), nullable=False),
        sa.Column("request_id", word(32), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_log"),
        sqlite_autoincrement=True,
        **MYSQL_OPTIONS,
    )
    for columns in (
        ["at", "id"],
        ["operator", "at", "id"],
        ["action", "at", "id"],
        ["result", "at", "id"],
        ["openid", "appid", "at", "id"],
    ):
        op.create_index("_".join(["ix_audit_log", *columns]), "audit_log", columns)


def downgrade() -> None:
    """Drop the tables, and all that is in them."""
    op.drop_table("audit_log")
    op.drop_table("sign_in_attempts")
    op.drop_table("operator_sessions")
    op.drop_table("operators")
