"""Operators of an identity provider, second factors, passkeys, used challenges."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0023"
down_revision = "0022"
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
    """A hash value, which MySQL and MariaDB index whole."""
    return sa.LargeBinary(64).with_variant(mysql.VARBINARY(64), "mysql", "mariadb")


def row_id() -> sa.types.TypeEngine[int]:
    """A rising number: only a column declared INTEGER is SQLite's row id."""
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables, and the column of sessions that may do no more than set up a second factor."""
    op.add_column("operator_sessions", sa.Column("lacks_factor", sa.Boolean()))
    op.create_table(
        "operator_identities",
        sa.Column("issuer", word(255), nullable=False),
        sa.Column("subject", word(255), nullable=False),
        sa.Column("operator_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("issuer", "subject", name="pk_operator_identities"),
        sa.UniqueConstraint("operator_id", name="uq_operator_identities_operator_id"),
        **MYSQL_OPTIONS,
    )
    op.create_table(
        "operator_totp",
        sa.Column("operator_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("set_up_at", sa.BigInteger()),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("operator_id", name="pk_operator_totp"),
        **MYSQL_OPTIONS,
    )
    op.create_table(
        "operator_passkeys",
        sa.Column("id", row_id(), autoincrement=True, nullable=False),
        sa.Column("operator_id", sa.BigInteger(), nullable=False),
        sa.Column("digest", digest(), nullable=False),
        sa.Column("credential", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("last_used_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_operator_passkeys"),
        sa.UniqueConstraint("digest", name="uq_operator_passkeys_digest"),
        sqlite_autoincrement=True,
        **MYSQL_OPTIONS,
    )
    op.create_index("ix_operator_passkeys_operator_id", "operator_passkeys", ["operator_id"])
    op.create_table(
        "operator_recovery_codes",
        sa.Column("operator_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("code_hash", digest(), nullable=False),
        sa.PrimaryKeyConstraint("operator_id", "code_hash", name="pk_operator_recovery_codes"),
        **MYSQL_OPTIONS,
    )
    op.create_table(
        "spent_challenges",
        sa.Column("digest", digest(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_spent_challenges"),
        **MYSQL_OPTIONS,
    )


def downgrade() -> None:
    """Drop them. Operators of a provider stay as rows that nobody can sign in to; the others need their password."""
    for table in (
        "spent_challenges",
        "operator_recovery_codes",
        "operator_passkeys",
        "operator_totp",
        "operator_identities",
    ):
        op.drop_table(table)
    op.drop_column("operator_sessions", "lacks_factor")
