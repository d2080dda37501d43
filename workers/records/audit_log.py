"""The audit log: who did what to what, and when. Each function works in the caller's transaction."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, insert

from workers.records.access_tables import audit_log

__all__ = ["note"]


def note(connection: Connection, actor: str, action: str, subject: str, details: dict[str, Any]) -> None:
    """Add an entry.

    Args:
        actor: whoever did it, by a name; "" where that is not known.
        action: what was done, such as "truth set".
        subject: the identifier of what it was done to.
        details: values for JSON, with nothing of a patient.
    """
    now = datetime.now(UTC).isoformat(timespec="seconds")
    values = {"time": now, "actor": actor, "action": action, "subject": subject, "details": details}
    connection.execute(insert(audit_log).values(values))
