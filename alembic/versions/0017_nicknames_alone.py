"""The index of nicknames holds only users who have one.

Who logs in silently need not be written there.
"""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

NAME = "ix_authorizations_nickname_id"
COLUMNS = ["nickname", "id"]


def upgrade() -> None:
    """Have the index hold fewer users; MySQL and MariaDB keep it as it is."""
    op.restrict_index_online(NAME, "authorizations", COLUMNS, "nickname IS NOT NULL")


def downgrade() -> None:
    """Have it hold everybody again."""
    op.restrict_index_online(NAME, "authorizations", COLUMNS, None)
