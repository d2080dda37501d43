"""The gateway: receives Orthanc's webhook and answers 2xx once the event is durable; serves /api and pages.

It enqueues by task name and never loads torch.
"""

import json
import logging
from typing import Any

import redis
from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from kombu.exceptions import OperationalError
from starlette.concurrency import run_in_threadpool

from mskmodel.registry import Registry
from workers.access.gate import Gate, Judge
from workers.access.identification import Identification
from workers.access.role import Role, needs
from workers.broker.celery_app import publisher
from workers.broker.database import client
from workers.broker.queues import BACKFILL, LABEL
from workers.dicomweb.routes import dicomweb_routes
from workers.gateway.api import api
from workers.gateway.request_body import bounded_body
from workers.gateway.webhook import DeletedInstance, InvalidSignature, MalformedEvent, parse, verify
from workers.jobs.store import JobStore
from workers.ledger import Ledger, enqueue
from workers.pacs import OrthancClient
from workers.pages.job_deeds import JobDeeds
from workers.pages.site import add_pages
from workers.pictures.routes import picture_routes
from workers.records.deletions import Deletions
from workers.sentences import sentence_of
from workers.settings import MissingSetting, Settings
from workers.viewer.installing import installed_pages
from workers.viewer.routes import viewer_routes

__all__ = ["create_app"]

#: Largest event that is accepted; events carry identifiers only.
MAX_BODY_BYTES = 16 * 1024

#: Timeout of the broker's answers in seconds.
ANSWER_SECONDS = 10

#: Where DICOMweb is, for the viewer.
DICOM_WEB = "/dicom-web"

#: Seconds after which a sender that got 503 may try again.
RETRY_AFTER = "2"

log = logging.getLogger(__name__)


def create_app(settings: Settings) -> FastAPI:
    """The gateway's ASGI application.

    Raises:
        MissingSetting: there is no webhook secret.
    """
    if settings.webhook_secret is None:
        raise MissingSetting("MSK_WEBHOOK_SECRET")
    secret = settings.webhook_secret
    ledger, celery, complaint = Ledger.of(settings), publisher(settings), _BrokerComplaint()
    deletions = Deletions(client(settings.broker_url, settings.trust, ANSWER_SECONDS))
    identification = Identification(settings)
    app = FastAPI(
        title="Musculoskeletal radiograph labelling",
        dependencies=[Depends(Judge(identification))],
        # FastAPI's pages load their scripts from the internet, which a hospital's network does not reach.
        docs_url=None,
        redoc_url=None,
        openapi_url=None,  # its route would have no dependencies
    )
    app.add_middleware(Gate)

    @app.post("/hooks/orthanc", status_code=202)
    async def take_event(request: Request) -> Response:
        """An instance was stored or deleted: 202 if accepted, 401, 413 or 422 if refused, 503 if to be sent again."""
        body = await bounded_body(request, MAX_BODY_BYTES)
        if body is None:
            return _refusal(413, f"an event has at most {MAX_BODY_BYTES} bytes")
        try:
            verify(secret, request.headers, body)
            event = parse(body)
            if isinstance(event, DeletedInstance):
                await run_in_threadpool(deletions.tell, event.instance)
            else:
                await run_in_threadpool(enqueue, celery, ledger, [event.instance], BACKFILL if event.old else LABEL)
        except InvalidSignature as error:
            return _refusal(401, str(error))
        except MalformedEvent as error:
            return _refusal(422, str(error))
        except (redis.RedisError, OperationalError) as error:
            return complaint.answer(error)
        complaint.settled()
        return Response(status_code=202)

    @app.get("/healthz")
    async def alive() -> dict[str, str]:
        """The process runs."""
        return {"status": "alive"}

    @app.get("/readyz")
    def ready() -> Response:
        """Events can be accepted: the broker would take one now. Shows how much work is open."""
        try:
            ledger.try_to_accept(LABEL)
            open_entries = ledger.depth()
        except redis.RedisError as error:
            return complaint.answer(error)
        complaint.settled()
        return JSONResponse({"status": "ready", "open": open_entries})

    @app.get("/openapi.json", include_in_schema=False)
    @needs(Role.VIEWER)
    def description() -> dict[str, Any]:
        """All routes under /api, as FastAPI describes them."""
        return app.openapi()

    orthanc, registry = OrthancClient.of(settings), Registry(settings.models)
    deeds = JobDeeds(identification.records, celery, JobStore.of(settings), orthanc, registry)
    app.include_router(api(settings, deeds, ledger))
    app.include_router(picture_routes(settings))
    app.include_router(dicomweb_routes(settings, identification.proxies))
    add_pages(app, identification, settings, deeds)
    if viewer := installed_pages(settings.viewer):
        app.include_router(viewer_routes(viewer, DICOM_WEB, Role.of(settings.names_role)))
    elif settings.viewer:
        log.warning("viewer-missing folder=%s fetch-it-with=%r", settings.viewer, "msk viewer fetch")
    return app


class _BrokerComplaint:
    """What the broker is reproached with now; the log says it once, however many requests are refused for it."""

    def __init__(self) -> None:
        self._said = ""

    def answer(self, error: Exception) -> Response:
        """503 with the broker's reason. Raises the error if that is unknown."""
        sentence = sentence_of(error)
        if sentence is None:
            raise error
        if sentence != self._said:
            self._said = sentence
            log.warning("events-refused reason=%s", sentence)
        return _refusal(503, sentence, {"Retry-After": RETRY_AFTER})

    def settled(self) -> None:
        """The broker accepts events."""
        if self._said:
            self._said = ""
            log.warning("events-accepted-again")


def _refusal(status: int, reason: str, headers: dict[str, str] | None = None) -> Response:
    content: dict[str, Any] = {"detail": reason}
    return Response(json.dumps(content, allow_nan=False), status, headers, media_type="application/json")
