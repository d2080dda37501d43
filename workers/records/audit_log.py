"""The audit log: who did what to what, and when. Each function works in the caller's transaction."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from workers.records.schema import audit_log

__all__ = ["latest", "note"]


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


def latest(connection: Connection, count: int, before: int | None = None, subject: str = "") -> list[dict[str, Any]]:
    """The last entries as plain values, the newest first: of those numbered under `before`, and about `subject`."""
    wanted = select(audit_log).order_by(audit_log.c.id.desc()).limit(count)
    if before is not None:
        wanted = wanted.where(audit_log.c.id < before)
    if subject:
        wanted = wanted.where(audit_log.c.subject == subject)
    return [dict(row) for row in connection.execute(wanted).mappings()]
