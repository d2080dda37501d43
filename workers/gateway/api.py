"""The REST interface under /api: training jobs, truths, and suggestions of what to look at next.

The interface handles labels and versions, never pixels or weights.
"""

from celery import Celery
from fastapi import APIRouter

from mskmodel.registry import Registry
from workers.gateway.job_routes import job_routes
from workers.gateway.truth_routes import truth_routes
from workers.jobs.store import JobStore
from workers.pacs import OrthancClient
from workers.settings import Settings

__all__ = ["api"]


def api(settings: Settings, celery: Celery) -> APIRouter:
    """Routes for the gateway to mount.

    403, 404, 409, 422: the detail says why. 503: the broker or Orthanc does not answer.
    """
    store, registry = JobStore.of(settings), Registry(settings.models)
    orthanc = OrthancClient.of(settings)
    router = APIRouter(prefix="/api")
    router.include_router(job_routes(celery, store, orthanc, registry))
    router.include_router(truth_routes(orthanc, registry, settings.orthanc_url))
    return router
