"""What the queues of review are ordered by."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """From 0003. The index is made anew, so that the new columns are filled."""
    op.add_column("instances", sa.Column("doubt", sa.Float))
    op.add_column("instances", sa.Column("unlike", sa.Boolean))
    op.create_index("instances_doubt", "instances", ["unlike", "doubt"])
    op.create_index("instances_disagreement", "instances", ["disagreement"])
    op.execute(sa.text("UPDATE position SET walked = 0, checked = NULL, hurried = :yes").bindparams(yes=True))
