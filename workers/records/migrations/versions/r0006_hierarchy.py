"""Where instances stand in DICOM's hierarchy, by which studies, series and instances are found."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_INDEXED = ("study_uid", "series_uid", "sop_instance")


def upgrade() -> None:
    """From 0005. The index is made anew, so that the new columns are filled."""
    for name in (*_INDEXED, "studied_at", "modality", "issuer"):
        op.add_column("instances", sa.Column(name, sa.Text))
    for name in _INDEXED:
        op.create_index(f"instances_{name}", "instances", [name])
    op.execute(sa.text("UPDATE position SET walked = 0, checked = NULL, hurried = :yes").bindparams(yes=True))
