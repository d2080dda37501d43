"""What became of everything that was stored: `/ledger`; failed and skipped instances are tried again from there."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from workers.access.asker import asker_of
from workers.access.forgery import form_of
from workers.access.role import Role, needs
from workers.metadata.outcome import FAILED, SKIPPED
from workers.pages import ledger_view as view
from workers.pages.arrivals import STATUSES
from workers.pages.asked_workers import AskedWorkers
from workers.pages.ledger_room import LedgerRoom
from workers.pages.refusals import answering
from workers.pages.rendering import Pages
from workers.records.heartbeat import Heartbeat
from workers.records.tallies import by_minute, by_reason

__all__ = ["ledger_routes"]


def ledger_routes(room: LedgerRoom, pages: Pages) -> APIRouter:
    """Routes for the gateway to mount."""
    router, workers = APIRouter(prefix="/ledger", include_in_schema=False), AskedWorkers(room.app)

    @router.get("")
    @needs(Role.VIEWER)
    async def show(request: Request) -> Response:
        """Counts, queues, workers, reasons, and how far the sweep is."""
        noted = await room.noted()
        balance = await room.balance(noted)
        now = datetime.now(UTC)
        since = (now - timedelta(hours=1)).isoformat(timespec="milliseconds")
        found, minutes = await room.records.read(lambda records: (by_reason(records), by_minute(records, since)))
        asked = workers.latest()
        lively = await run_in_threadpool(answering, lambda: _Lively.of(room, asked, balance.stored))
        return pages.page(
            request,
            "ledger.html.jinja",
            balance=balance,
            sentence=view.sentence(balance),
            statuses=STATUSES,
            reasons=view.reasons(found, noted),
            retried=(FAILED, SKIPPED),
            bars=view.bars(minutes, now),
            hour=sum(minutes.values()),
            lively=lively,
            again=_number(request, "again"),
            left=_number(request, "left"),
        )

    @router.post("/retry")
    @needs(Role.ADMIN)
    async def retry(request: Request) -> Response:
        """Have those tried again that have the status `status` for the reason `reason`."""
        form, by = await form_of(request), asker_of(request).name
        status, reason = form.get("status", ""), form.get("reason", "")
        if status not in (FAILED, SKIPPED) or not reason:
            raise HTTPException(422, "only what failed or was skipped for a reason can be tried again")
        done = await room.again(status, reason, by)
        left = done.other + done.current
        return RedirectResponse(f"/ledger?again={done.enqueued + done.waiting}&left={left}", HTTPStatus.SEE_OTHER)

    return router


@dataclass(frozen=True)
class _Lively:
    """What the broker says. ``benches``: None while nobody knows which workers there are."""

    queues: list[view.Queue]
    leased: int
    benches: list[view.Bench] | None
    sweep: view.Sweep

    @classmethod
    def of(cls, room: LedgerRoom, asked: Any, stored: int) -> "_Lively":
        """Raises redis.RedisError, OrthancError."""
        ledger, beat = room.ledger, Heartbeat.last(room.broker)
        benches = None if asked is None else [bench for each in asked for bench in view.bench_of(each, ledger)]
        leased, sweep = ledger.depth()["leased"], view.sweep(ledger, room.orthanc.last_change(), stored, beat)
        return cls(view.queues(ledger), leased, benches, sweep)


def _number(request: Request, name: str) -> int | None:
    text = request.query_params.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
