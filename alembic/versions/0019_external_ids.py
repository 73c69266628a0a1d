"""By what backends know their users."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column. It has no default, so that no row is written."""
    exact = mysql.VARCHAR(128, charset="utf8mb4", collation="utf8mb4_bin")
    in_bytes = sa.String(128, collation="C")
    text = sa.String(128).with_variant(exact, "mysql", "mariadb").with_variant(in_bytes, "postgresql")
    op.add_column("authorizations", sa.Column("external_id", text))


def downgrade() -> None:
    """Drop it, and what backends have set."""
    op.drop_column("authorizations", "external_id")
