"""The REST interface under /api: training jobs, truths, their journal, and suggestions of what to look at next.

Clients need the token of MSK_API_TOKEN; without that variable, every request is refused. The interface handles labels
and versions, never pixels or weights.
"""

import hmac

from celery import Celery
from fastapi import APIRouter, Depends, HTTPException, Request

from mskmodel.registry import Registry
from workers.gateway.job_routes import job_routes
from workers.gateway.records_routes import records_routes
from workers.gateway.truth_routes import truth_routes
from workers.jobs.store import JobStore
from workers.metadata.truth_changes import no_journal
from workers.pacs import OrthancClient
from workers.records.records_journal import RecordsJournal
from workers.settings import Settings

__all__ = ["api"]


def api(settings: Settings, celery: Celery) -> APIRouter:
    """Routes for the gateway to mount.

    401: the token is missing or wrong. 404, 409, 422: the detail says why. 503: the broker, Orthanc or the records do
    not answer, or no token is set.
    """
    store, registry = JobStore.of(settings), Registry(settings.models)
    orthanc = OrthancClient.of(settings)
    journal = RecordsJournal(settings.records, orthanc) if settings.records else None
    router = APIRouter(prefix="/api", dependencies=[Depends(_Token(settings.api_token))])
    router.include_router(job_routes(celery, store, orthanc, registry))
    router.include_router(truth_routes(orthanc, registry, settings.orthanc_url, journal or no_journal))
    router.include_router(records_routes(journal))
    return router


class _Token:
    """Admits only requests that carry the token."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def __call__(self, request: Request) -> None:
        if self._token is None:
            raise HTTPException(503, "/api is closed: MSK_API_TOKEN is not set for the gateway")
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), self._token.encode()):
            raise HTTPException(401, "send the token: Authorization: Bearer ...", {"WWW-Authenticate": "Bearer"})
