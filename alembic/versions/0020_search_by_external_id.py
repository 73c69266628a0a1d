"""An index finds users by what backends know them by."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

NAME = "ix_authorizations_external_id_id"
#: Whom it holds, on SQLite and on PostgreSQL.
NAMED = sa.text("external_id IS NOT NULL")


def upgrade() -> None:
    """Make the index."""
    op.create_index_online(NAME, "authorizations", ["external_id", "id"], sqlite_where=NAMED, postgresql_where=NAMED)


def downgrade() -> None:
    """Drop it."""
    op.drop_index_online(NAME, "authorizations")
