"""Table: how a job ended for each of its selected users."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column. It has no default: of earlier jobs nobody knows."""
    op.add_column("jobs", sa.Column("user_results", sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")))


def downgrade() -> None:
    """Drop it. How often an action ended in each way stays."""
    op.drop_column("jobs", "user_results")
