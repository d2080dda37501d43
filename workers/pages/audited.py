"""Deeds of people: each stands in the audit log before it is done, and again if it could not be done."""

from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import HTTPException
from starlette.concurrency import run_in_threadpool

from workers.access.awaited_records import AwaitedRecords
from workers.pages.refusals import answering
from workers.records.audit_log import note

__all__ = ["audited"]

T = TypeVar("T")


async def audited(
    records: AwaitedRecords, by: str, action: str, subject: str, do: Callable[[], T], **details: Any
) -> T:
    """What `do` returns, in a thread. HTTPException 503: the records are away, and nothing is done; others as `do`."""
    await records.write(lambda connection: note(connection, by, action, subject, details))
    try:
        return await run_in_threadpool(answering, do)
    except HTTPException as error:
        why = {"reason": str(error.detail)}
        await records.write(lambda connection: note(connection, by, f"{action}: refused", subject, why))
        raise
