"""The REST interface under /api: training jobs, truths, their journal, suggestions, relevant priors, and reports.

The interface handles labels and versions, never pixels or weights.
"""

from fastapi import APIRouter

from workers.gateway.job_routes import job_routes
from workers.gateway.prior_routes import prior_routes
from workers.gateway.records_routes import records_routes
from workers.gateway.results_routes import results_routes
from workers.gateway.truth_routes import truth_routes
from workers.ledger import Ledger
from workers.metadata.truth_changes import no_journal
from workers.pages.awaited_orthanc import AwaitedOrthanc
from workers.pages.awaited_priors import AwaitedPriors
from workers.pages.job_deeds import JobDeeds
from workers.records.records_journal import RecordsJournal
from workers.settings import Settings

__all__ = ["api"]


def api(settings: Settings, deeds: JobDeeds, ledger: Ledger) -> APIRouter:
    """Routes for the gateway to mount. ``deeds``: what is done with training jobs.

    403, 404, 409, 422: the detail says why. 503: the broker, Orthanc or the records do not answer.
    """
    orthanc, registry = deeds.orthanc, deeds.registry
    journal = RecordsJournal(settings.records, orthanc) if settings.records else None
    router = APIRouter(prefix="/api")
    router.include_router(job_routes(deeds))
    router.include_router(truth_routes(orthanc, registry, settings.orthanc_url, journal or no_journal))
    router.include_router(records_routes(journal))
    router.include_router(prior_routes(AwaitedPriors(deeds.records, AwaitedOrthanc(orthanc))))
    router.include_router(results_routes(orthanc, ledger, deeds.records))
    return router
