"""Status reauthorization_required instead of needs_reauthorization."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

STATUSES = "needs_reauthorization", "reauthorization_required"
KINDS = "reauthorization_needed", "reauthorization_required"
#: Rows that are changed in one transaction at most.
BATCH = 10_000

users = sa.table("authorizations", sa.column("id", sa.BigInteger), sa.column("status", sa.String))
activity = sa.table("activity", sa.column("kind", sa.String))
jobs = sa.table("jobs", sa.column("target", sa.String))


def rename_users(old: str, new: str) -> None:
    """Rename a status of users, in batches: there may be millions of them."""
    context = op.get_context()
    if context.as_sql:
        op.execute(sa.update(users).where(users.c.status == old).values(status=new))
    elif context.dialect.name == "sqlite":  # whoever migrates a file has it alone until the end
        rename_in_batches(old, new)
    else:
        with context.autocommit_block():
            rename_in_batches(old, new)


def rename_in_batches(old: str, new: str) -> None:
    """Rename a status of users, a batch in each statement, going through the index of those who are not active."""
    wanted = sa.and_(users.c.status == old, sa.text("status != 'active'"))
    batch = sa.select(users.c.id).where(wanted).order_by(users.c.id).limit(BATCH).subquery()
    connection = op.get_bind()
    while (last := connection.execute(sa.select(sa.func.max(batch.c.id))).scalar()) is not None:
        connection.execute(sa.update(users).where(wanted, users.c.id <= last).values(status=new))


def rename_counts(old: str, new: str) -> None:
    """Rename what is counted by the hour: few rows."""
    op.execute(sa.update(activity).where(activity.c.kind == old).values(kind=new))


def rename_in_jobs(old: str, new: str) -> None:
    """Rename a status in the filters of jobs, which are JSON: few rows."""
    old_filter, new_filter = (f'"status": "{status}"' for status in (old, new))
    op.execute(sa.update(jobs).values(target=sa.func.replace(jobs.c.target, old_filter, new_filter)))


def upgrade() -> None:
    """Rename. Run again after it broke off, it renames the rest."""
    rename_counts(*KINDS)
    rename_in_jobs(*STATUSES)
    rename_users(*STATUSES)


def downgrade() -> None:
    """Give back the former names."""
    rename_counts(*KINDS[::-1])
    rename_in_jobs(*STATUSES[::-1])
    rename_users(*STATUSES[::-1])
