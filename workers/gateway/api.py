"""The REST interface under /api: training jobs, truths, their journal, and suggestions of what to look at next.

The interface handles labels and versions, never pixels or weights.
"""

from celery import Celery
from fastapi import APIRouter

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

    403, 404, 409, 422: the detail says why. 503: the broker, Orthanc or the records do not answer.
    """
    store, registry = JobStore.of(settings), Registry(settings.models)
    orthanc = OrthancClient.of(settings)
    journal = RecordsJournal(settings.records, orthanc) if settings.records else None
    router = APIRouter(prefix="/api")
    router.include_router(job_routes(celery, store, orthanc, registry))
    router.include_router(truth_routes(orthanc, registry, settings.orthanc_url, journal or no_journal))
    router.include_router(records_routes(journal))
    return router
