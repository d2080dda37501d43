"""The journal of truths, the audit log, and what they need of the index and of the follower's position."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_Number = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """From 0001. The index is made anew, so that the truths that Orthanc holds already are met soon."""
    op.create_table(
        "journal",
        sa.Column("id", _Number, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("time", "instance", "sop_instance", "file")),
        sa.Column("label", sa.Text),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("author", "said_at")),
        sa.Column("truth", sa.JSON),
        sa.Column("before", sa.JSON),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("source", sa.Text),
        sa.Column("reason", sa.Text),
    )
    op.create_index("journal_instance", "journal", ["instance"])
    op.create_index("journal_file", "journal", ["file"])
    op.create_table(
        "journal_ends",
        sa.Column("entry", _Number, sa.ForeignKey("journal.id"), primary_key=True, autoincrement=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("end", "time")),
    )
    op.create_table("pictures", *(sa.Column(name, sa.Text, primary_key=True) for name in ("file", "pixel_hash")))
    op.create_index("pictures_pixel_hash", "pictures", ["pixel_hash"])
    op.create_table(
        "audit_log",
        sa.Column("id", _Number, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("time", "actor", "action", "subject")),
        sa.Column("details", sa.JSON, nullable=False),
    )
    op.add_column("instances", sa.Column("pixel_hash", sa.Text))
    op.add_column("position", sa.Column("restored", sa.Boolean, nullable=False, server_default=sa.false()))
    op.execute(sa.text("UPDATE position SET walked = 0, checked = NULL, hurried = :yes").bindparams(yes=True))
