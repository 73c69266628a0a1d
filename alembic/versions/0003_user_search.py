"""Indexes for finding users.

On PostgreSQL what is searched is ordered by its bytes.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SEARCHED = {"openid": 128, "unionid": 128, "nickname": 255}
WHOLE = (["scope", "id"], ["nickname", "id"], ["last_used_at", "id"], ["refresh_expires_at", "id"])
#: The first column of indexes of some rows, and which rows these are, on SQLite and on PostgreSQL.
PARTIAL = {
    "status": ("status != 'active'", "status != 'active'"),
    "last_error_code": ("last_error_code IS NOT NULL", "last_error_code IS NOT NULL"),
    "is_snapshotuser": ("is_snapshotuser = 1", "is_snapshotuser"),
}


def name_of(columns: list[str]) -> str:
    """Name an index as all are named."""
    return "_".join(["ix_authorizations", *columns])


def collate(collation: str) -> None:
    """Change the collation on PostgreSQL. The rows stay as they are; the indexes are made anew."""
    if op.get_context().dialect.name == "postgresql":
        changes = (f'ALTER {name} TYPE VARCHAR({length}) COLLATE "{collation}"' for name, length in SEARCHED.items())
        op.execute(f"ALTER TABLE authorizations {', '.join(changes)}")


def upgrade() -> None:
    """Make the indexes."""
    collate("C")
    for columns in WHOLE:
        op.create_index(name_of(columns), "authorizations", columns)
    for column, (sqlite_where, postgresql_where) in PARTIAL.items():
        op.create_index(
            name_of([column, "id"]),
            "authorizations",
            [column, "id"],
            sqlite_where=sa.text(sqlite_where),
            postgresql_where=sa.text(postgresql_where),
        )


def downgrade() -> None:
    """Drop them."""
    for columns in (*WHOLE, *([column, "id"] for column in PARTIAL)):
        op.drop_index(name_of(columns), "authorizations")
    collate("default")
