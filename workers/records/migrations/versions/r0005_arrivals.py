"""Why instances are not labelled and when they were dealt with, and what lists of them are filtered by."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_PLACE = ["stored_at", "instance"]


def upgrade() -> None:
    """From 0004. The index is made anew, so that the new columns are filled."""
    for name in ("shown", "reason", "labelled_at"):
        op.add_column("instances", sa.Column(name, sa.Text))
    op.create_index("instances_shown", "instances", ["shown", *_PLACE])
    op.create_index("instances_status", "instances", ["status", *_PLACE])
    op.create_index("instances_reason", "instances", ["status", "reason", *_PLACE], **_where("reason IS NOT NULL"))
    op.create_index("instances_disagreeing", "instances", _PLACE, **_where("disagreement > 0.5"))
    op.create_index("instances_labelled_at", "instances", ["labelled_at"])
    op.create_index("instances_model", "instances", ["model"])
    op.create_index("instances_truth", "instances", ["truth", "instance"], **_where("truth IS NOT NULL"))
    op.execute(sa.text("UPDATE position SET walked = 0, checked = NULL, hurried = :yes").bindparams(yes=True))


def _where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}
