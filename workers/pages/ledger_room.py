"""What the page of the ledger reads from and acts on: records, ledger, Orthanc and broker together."""

import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from celery import Celery
from fastapi import HTTPException
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool

from mskmodel.dicom.radiograph_kinds import RadiographKinds
from workers.access.awaited_records import AwaitedRecords
from workers.ledger import Ledger
from workers.metadata.outcome import FAILED, SKIPPED
from workers.pacs import OrthancClient
from workers.pages.refusals import answering
from workers.reconciliation.balance import Balance, astray
from workers.reconciliation.relabelling import Relabelling, Wanted, relabel_named
from workers.records import arrivals
from workers.records.audit_log import note
from workers.records.tallies import by_status, oldest_waiting

__all__ = ["LedgerRoom"]

#: Instances looked at together.
BATCH = 1000
#: Seconds by which clocks may differ.
CLOCKS = 3600.0


@dataclass(frozen=True)
class LedgerRoom:
    """``broker``: a client of its database. All methods raise HTTPException 503 while something is away."""

    records: AwaitedRecords
    orthanc: OrthancClient
    ledger: Ledger
    broker: Any
    app: Celery
    kinds: RadiographKinds

    async def balance(self, noted: Mapping[str, str]) -> Balance:
        """Whether everything is accounted for now. ``noted``: as `noted` says."""
        stored = await run_in_threadpool(lambda: answering(self.orthanc.statistics).instances)
        statuses, oldest = await self.records.read(lambda records: (by_status(records), oldest_waiting(records)))
        nowhere: list[str] = []
        if statuses.get(None):
            async for some in self._batches(arrivals.Wanted(status=arrivals.WAITING)):
                nowhere += await run_in_threadpool(answering, partial(astray, self.ledger, self.orthanc, some))
        age = max(0.0, time.time() - datetime.fromisoformat(oldest).timestamp()) if oldest else 0.0
        return Balance(stored, statuses, len(noted), age, nowhere)

    async def noted(self) -> dict[str, str]:
        """By instance, why it failed, where Orthanc did not take that as its outcome: it stands in the ledger alone."""

        def look() -> dict[str, str]:
            entries = self.ledger.entries(self.ledger.failed_before(time.time() + CLOCKS))
            return {each: entry.reason for each, entry in entries.items() if entry.failed}

        return await run_in_threadpool(answering, look)

    async def again(self, status: str, reason: str, by: str) -> Relabelling:
        """Have those tried again that failed or were skipped for this reason. HTTPException 404: there are none."""
        wanted = Wanted("", older=False, failed=status == FAILED, skipped=self.kinds if status == SKIPPED else None)
        rows = arrivals.Wanted(status=status, reason=reason)
        noted = await self.noted() if status == FAILED else {}
        here = [each for each, said in noted.items() if said == reason]
        count = len(here) + await self.records.read(lambda records: arrivals.count(records, rows))
        if not count:
            raise HTTPException(404, "none has that reason any more")
        details = {"reason": reason, "instances": count}
        await self.records.write(lambda records: note(records, by, "instances retried", status, details))
        result = Relabelling()
        parts = (self.app, self.orthanc, self.ledger, wanted)
        await run_in_threadpool(answering, partial(relabel_named, *parts, here, result))
        async for some in self._batches(rows):
            named = [each.instance for each in some]
            await run_in_threadpool(answering, partial(relabel_named, *parts, named, result))
        return result

    async def _batches(self, wanted: arrivals.Wanted) -> AsyncIterator[list[arrivals.Place]]:
        """The places of all such rows, some at a time, so that memory does not grow with their number."""
        last: arrivals.Place | None = None

        def read(records: Connection) -> list[arrivals.Place]:
            return arrivals.identifiers(records, wanted, BATCH, last)

        while some := await self.records.read(read):
            yield some
            last = some[-1]
