"""The index of unionids holds only users who have one.

Who logs in silently need not be written there.
"""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

NAME = "ix_authorizations_unionid"
COLUMNS = ["unionid"]


def upgrade() -> None:
    """Have the index hold fewer users; MySQL and MariaDB keep it as it is."""
    op.restrict_index_online(NAME, "authorizations", COLUMNS, "unionid IS NOT NULL")


def downgrade() -> None:
    """Have it hold everybody again."""
    op.restrict_index_online(NAME, "authorizations", COLUMNS, None)
