"""What the records keep of people's doings, over HTTP: the journal of truths, and the audit log."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, HTTPException
from sqlalchemy import Connection

from workers.access.role import Role, needs
from workers.gateway.request_body import LONGEST_LIST
from workers.pages.refusals import answering
from workers.records import audit_log, journal
from workers.records.database import READS_ONLY
from workers.records.records_journal import RecordsJournal

__all__ = ["records_routes"]

Rows = list[dict[str, Any]]


def records_routes(records: RecordsJournal | None) -> APIRouter:
    """Routes under /records. ``records``: None for a gateway that does not know where they are."""
    router = APIRouter(prefix="/records")

    def answer(latest: Callable[..., Rows], count: int, before: int | None, subject: str) -> Rows:
        if records is None:
            raise HTTPException(503, "this gateway has no records: MSK_RECORDS is not set for it")

        def run() -> Rows:
            with _reading(records) as connection, connection.begin():
                return latest(connection, max(1, min(count, LONGEST_LIST)), before, subject)

        return answering(run)

    @router.get("/journal")
    @needs(Role.REVIEWER)
    def show_journal(count: int = 20, before: int | None = None, instance: str = "") -> Rows:
        """The last entries of the journal, the newest first."""
        return answer(journal.latest, count, before, instance)

    @router.get("/audit-log")
    @needs(Role.ADMIN)
    def show_audit_log(count: int = 20, before: int | None = None, subject: str = "") -> Rows:
        """The last entries of the audit log, the newest first."""
        return answer(audit_log.latest, count, before, subject)

    return router


def _reading(records: RecordsJournal) -> Connection:
    return records.engine.connect().execution_options(**READS_ONLY)
