"""The index of what is due holds only users who have a next refresh."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

NAME = "ix_authorizations_appid_next_refresh_at_id"
COLUMNS = ["appid", "next_refresh_at", "id"]


def upgrade() -> None:
    """Have the index hold fewer users; MySQL and MariaDB keep it as it is."""
    op.restrict_index_online(NAME, "authorizations", COLUMNS, "next_refresh_at IS NOT NULL")


def downgrade() -> None:
    """Have it hold everybody again."""
    op.restrict_index_online(NAME, "authorizations", COLUMNS, None)
