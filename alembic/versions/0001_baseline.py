"""Tables: authorizations, activity by the hour, API keys."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0001"
down_revision = None
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
        "authorizations",
        sa.Column("id", row_id(), autoincrement=True, nullable=False),
        sa.Column("appid", word(64), nullable=False),
        sa.Column("openid", word(128), nullable=False),
        sa.Column("unionid", word(128)),
        sa.Column("scope", word(255), nullable=False),
        sa.Column("is_snapshotuser", sa.Boolean(), nullable=False),
        sa.Column("access_token", sa.LargeBinary(), nullable=False),
        sa.Column("refresh_token", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("refresh_expires_at", sa.BigInteger(), nullable=False),
        sa.Column("status", word(32), nullable=False, server_default="active"),
        sa.Column("version", sa.BigInteger(), nullable=False, server_default=sa.text("1")),
        sa.Column("lease_owner", word(128)),
        sa.Column("lease_until", sa.BigInteger()),
        sa.Column("next_refresh_at", sa.BigInteger()),
        sa.Column("code_digest", digest()),
        sa.Column("code_binding", digest()),
        sa.Column("code_scope", word(255), nullable=False),
        sa.Column("first_authorized_at", sa.BigInteger(), nullable=False),
        sa.Column("authorized_at", sa.BigInteger(), nullable=False),
        sa.Column("refreshed_at", sa.BigInteger()),
        sa.Column("last_used_at", sa.BigInteger(), nullable=False),
        sa.Column("refresh_failures", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("last_error_code", sa.BigInteger()),
        sa.Column("last_error_kind", word(64)),
        sa.Column("last_error_at", sa.BigInteger()),
        sa.Column("nickname", sa.String(255)),
        sa.Column("avatar_url", sa.String(2048)),
        sa.Column("profile_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_authorizations"),
        sa.UniqueConstraint("openid", "appid", name="uq_authorizations_openid_appid"),
        sqlite_autoincrement=True,
        **MYSQL_OPTIONS,
    )
    for columns in (
        ["appid", "next_refresh_at", "id"],
        ["code_digest"],
        ["unionid"],
        ["authorized_at", "id"],
        ["appid", "authorized_at", "id"],
        ["appid", "id"],
    ):
        op.create_index("_".join(["ix_authorizations", *columns]), "authorizations", columns)
    op.create_table(
        "activity",
        sa.Column("hour", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("appid", word(64), nullable=False),
        sa.Column("kind", word(32), nullable=False),
        sa.Column("errcode", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hour", "appid", "kind", "errcode", name="pk_activity"),
        **MYSQL_OPTIONS,
    )
    op.create_table(
        "api_keys",
        sa.Column("id", row_id(), autoincrement=True, nullable=False),
        sa.Column("name", word(64), nullable=False),
        sa.Column("key_hash", digest(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("last_used_at", sa.BigInteger()),
        sa.Column("revoked_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.UniqueConstraint("name", name="uq_api_keys_name"),
        sa.UniqueConstraint("key_hash", name="uq_api_keys_key_hash"),
        sqlite_autoincrement=True,
        **MYSQL_OPTIONS,
    )


def downgrade() -> None:
    """Drop the tables, and all that is in them."""
    op.drop_table("api_keys")
    op.drop_table("activity")
    op.drop_table("authorizations")
