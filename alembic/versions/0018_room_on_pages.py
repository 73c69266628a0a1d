"""PostgreSQL leaves room on the pages of the users.

A lease is written beside its row then, and into no index. Only a new version of a row that finds room on the same page
does without the indexes (heap-only tuples). Each scheduled refresh takes a lease first, so that half of its writes can
do so. Pages that are full already get the room as their rows move on.
"""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Leave a fifth of each new page free; neither reads nor writes wait for that."""
    _set_on_postgresql("SET (fillfactor = 80)")


def downgrade() -> None:
    """Fill pages again."""
    _set_on_postgresql("RESET (fillfactor)")


def _set_on_postgresql(change: str) -> None:
    if op.get_context().dialect.name == "postgresql":
        op.execute(f"ALTER TABLE authorizations {change}")
