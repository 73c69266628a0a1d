"""Scopes without a comma at their end.

Lists that refreshes had stored become what is known of them.

A grant whose own exchange was the last one has the scope of that exchange. Of an older one it is not known whether it
was wide: it stays wide. That loses nothing, as a narrower grant is held beside it; the other way round, the profile of
users who granted it would be lost.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

#: The lists that refreshes are recorded to give, and how the same set is written now.
LISTS = {"snsapi_base,snsapi_userinfo,": "snsapi_base,snsapi_userinfo", "snsapi_base,": "snsapi_base"}
WIDE = "snsapi_userinfo"
#: Rows that are changed in one transaction at most.
BATCH = 10_000

users = sa.table(
    "authorizations", sa.column("id", sa.BigInteger), sa.column("scope", sa.String), sa.column("code_scope", sa.String)
)


def mended(old: str) -> sa.Update:
    """Return the statement that mends the rows of a list."""
    scope = sa.case((users.c.code_scope == WIDE, WIDE), else_=LISTS[old])
    return sa.update(users).where(users.c.scope == old).values(scope=scope)


def mend_in_batches(old: str) -> None:
    """Mend the rows of a list, a batch in each statement, going through the index of the scope."""
    batch = sa.select(users.c.id).where(users.c.scope == old).order_by(users.c.id).limit(BATCH).subquery()
    connection = op.get_bind()
    while (last := connection.execute(sa.select(sa.func.max(batch.c.id))).scalar()) is not None:
        connection.execute(mended(old).where(users.c.id <= last))


def upgrade() -> None:
    """Mend the rows. Run again after it broke off, it mends the rest."""
    context = op.get_context()
    for old in LISTS:
        if context.as_sql:
            op.execute(mended(old))
        elif context.dialect.name == "sqlite":  # a file is locked by the process that migrates it until the end
            mend_in_batches(old)
        else:
            with context.autocommit_block():
                mend_in_batches(old)


def downgrade() -> None:
    """Do nothing: the version before reads the mended scopes too."""
