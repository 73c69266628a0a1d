"""Columns: a second, narrower grant beside a wide one; what the last code gave."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def word(length: int) -> sa.types.TypeEngine[str]:
    """Text that is compared exactly on MySQL and MariaDB, too."""
    exact = mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin")
    return sa.String(length).with_variant(exact, "mysql", "mariadb")


def columns() -> list[sa.Column[object]]:
    """Return the new columns. None has a default, so no row is touched."""
    return [
        sa.Column("code_unionid", word(128)),
        sa.Column("code_is_snapshotuser", sa.Boolean()),
        sa.Column("fallback_scope", word(255)),
        sa.Column("fallback_access_token", sa.LargeBinary()),
        sa.Column("fallback_refresh_token", sa.LargeBinary()),
        sa.Column("fallback_expires_at", sa.BigInteger()),
        sa.Column("fallback_refresh_expires_at", sa.BigInteger()),
        sa.Column("fallback_unionid", word(128)),
        sa.Column("fallback_is_snapshotuser", sa.Boolean()),
    ]


def upgrade() -> None:
    """Add the columns."""
    for column in columns():
        op.add_column("authorizations", column)


def downgrade() -> None:
    """Drop them; the grants that were held beside others go with them."""
    for column in reversed(columns()):
        op.drop_column("authorizations", column.name)
