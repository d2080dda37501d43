"""The index, the follower's position, the site's secret, and what its headers are worth."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """From nothing."""
    op.create_table(
        "instances",
        sa.Column("instance", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("series", "study", "patient", "stored_at")),
        sa.Column("status", sa.Text),
        sa.Column("label", sa.Text),
        sa.Column("probability", sa.Float),
        *(sa.Column(name, sa.Text) for name in ("model", "region", "view", "side")),
        sa.Column("disagreement", sa.Float),
        sa.Column("pixels", sa.JSON),
        sa.Column("claims", sa.JSON),
        *(sa.Column(name, sa.Text) for name in ("group", "truth", "attachment")),
        sa.Column("updated_at", sa.Text, nullable=False),
    )
    op.create_index("instances_stored_at", "instances", ["stored_at", "instance"])
    op.create_index("instances_study", "instances", ["study"])
    op.create_index("instances_patient", "instances", ["patient"])
    op.create_table(
        "position",
        sa.Column("id", sa.Integer, primary_key=True),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("version", "changes", "walked")),
        sa.Column("checked", sa.Text),
        sa.Column("rounds", sa.BigInteger, nullable=False),
        sa.Column("hurried", sa.Boolean, nullable=False),
    )
    op.create_table(
        "secrets", sa.Column("name", sa.Text, primary_key=True), sa.Column("value", sa.Text, nullable=False)
    )
    op.create_table(
        "evidence", sa.Column("id", sa.Integer, primary_key=True), sa.Column("publication", sa.JSON, nullable=False)
    )
