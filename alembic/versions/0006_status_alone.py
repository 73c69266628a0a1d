"""Without the index of a status alone.

The one that knows account and scope as well begins with the same columns.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

NAME = "ix_authorizations_status_id"
#: Whom it holds, on SQLite and on PostgreSQL.
OTHERS = sa.text("status != 'active'")


def upgrade() -> None:
    """Drop the index."""
    op.drop_index_online(NAME, "authorizations")


def downgrade() -> None:
    """Make it anew."""
    op.create_index_online(NAME, "authorizations", ["status", "id"], sqlite_where=OTHERS, postgresql_where=OTHERS)
