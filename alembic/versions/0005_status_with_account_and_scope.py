"""Index: users by status, account and scope.

A filter by account and scope as well is answered without a look at the users.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

NAME = "ix_authorizations_status_id_appid_scope"
#: Almost everybody is active, and nobody looks for these by an index.
OTHERS = sa.text("status != 'active'")


def upgrade() -> None:
    """Make the index. The one that it replaces stays until the next migration."""
    op.create_index_online(
        NAME, "authorizations", ["status", "id", "appid", "scope"], sqlite_where=OTHERS, postgresql_where=OTHERS
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_index_online(NAME, "authorizations")
