"""The REST interface under /api: training jobs, what people say that instances show, and what to look at next.

Who may use it has the token of MSK_API_TOKEN; without that variable nobody may. It looks at labels and versions, never
at pixels or weights.
"""

import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import redis
from celery import Celery
from fastapi import APIRouter, Depends, HTTPException, Request
from starlette.concurrency import run_in_threadpool

from mskmodel.registry.registry import Registry
from mskmodel.registry.version import RegistryError, read_manifest
from workers.corrections.suggesting import as_plain, suggestions
from workers.gateway.bounded_body import bounded_body
from workers.jobs.request import InvalidRequest, JobRequest
from workers.jobs.store import CANCELLED, CANCELLING, Job, JobStore
from workers.jobs.submission import submit
from workers.metadata.truth import BadTruth, NoTruth, TruthConflict, UnknownInstance
from workers.metadata.truth_changes import set_truth, withdraw_truth
from workers.pacs.client import OrthancClient, OrthancError
from workers.settings import Settings

__all__ = ["api"]

T = TypeVar("T")

#: A job may name many instances.
MAX_BODY_BYTES = 4 * 1024 * 1024
#: Jobs in one list, at most.
LONGEST_LIST = 1000


def api(settings: Settings, celery: Celery) -> APIRouter:
    """Routes for the gateway to mount.

    401: no or another token. 404, 409, 422: as the detail says. 503: the broker or Orthanc is away, or no token is set.
    """
    store, registry = JobStore(settings.broker_url), Registry(settings.models)
    orthanc = OrthancClient(settings.orthanc_url, settings.orthanc_user, settings.orthanc_password)
    router = APIRouter(prefix="/api", dependencies=[Depends(_Token(settings.api_token))])

    @router.post("/jobs", status_code=201)
    async def submit_job(request: Request) -> dict[str, Any]:
        """Queue a training job: a JSON object with `author` and whatever of a job request is not to be the default."""
        asked = await _json_object(request)
        author = asked.pop("author", "")

        def run() -> Job:
            job_id = submit(celery, store, orthanc, registry, JobRequest.of(asked), _text("author", author))
            return _found(store, job_id)

        return (await run_in_threadpool(_answering, run)).to_dict()

    @router.get("/jobs")
    def list_jobs(count: int = 20) -> list[dict[str, Any]]:
        """The latest jobs, the newest first."""
        return [job.to_dict() for job in _answering(lambda: store.latest(max(1, min(count, LONGEST_LIST))))]

    @router.get("/jobs/{job_id}")
    def show_job(job_id: str) -> dict[str, Any]:
        """A job as it is now, with its log."""
        return _answering(lambda: _found(store, job_id)).to_dict()

    @router.delete("/jobs/{job_id}")
    def cancel_job(job_id: str) -> dict[str, Any]:
        """Cancel a job; 409 where it has ended, or can no longer be cancelled."""

        def run() -> Job:
            if _found(store, job_id).state == CANCELLED:
                raise HTTPException(409, f"job {job_id} is cancelled already")
            state = store.cancel(job_id, "api")
            if state not in (CANCELLED, CANCELLING):
                raise HTTPException(409, f"it is too late: job {job_id} is {state}")
            return _found(store, job_id)

        return _answering(run).to_dict()

    @router.get("/suggestions")
    def suggest(count: int = 20) -> list[dict[str, Any]]:
        """The instances that a person should look at next, the first first."""
        number = max(1, min(count, LONGEST_LIST))
        return [as_plain(each, settings.orthanc_url) for each in _answering(lambda: suggestions(orthanc, number))]

    @router.put("/instances/{instance_id}/truth")
    async def say_truth(instance_id: str, request: Request) -> dict[str, Any]:
        """Say what an instance shows: `label` (null = none of them), `author`, `new_class` (true if it is one)."""
        said = await _json_object(request)
        if "label" not in said:
            raise HTTPException(422, "label is missing; null says that it is none of the classes")
        label = None if said["label"] is None else _text("label", said["label"])
        author, is_new = _text("author", said.get("author", "")), said.get("new_class") is True

        def run() -> dict[str, Any]:
            classes = tuple(read_manifest(registry.promoted())["classes"])
            known = (*classes, label) if is_new and label else classes
            truth: dict[str, Any] = json.loads(set_truth(orthanc, instance_id, label, author, known).to_json())
            return truth

        return await run_in_threadpool(_answering, run)

    @router.delete("/instances/{instance_id}/truth")
    def withdraw(instance_id: str, author: str = "") -> dict[str, Any]:
        """Take back what was said of an instance; 404 where nobody said anything."""
        truth = _answering(lambda: withdraw_truth(orthanc, instance_id, author))
        found: dict[str, Any] = json.loads(truth.to_json())
        return found

    return router


class _Token:
    """Lets through who has the token."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def __call__(self, request: Request) -> None:
        if self._token is None:
            raise HTTPException(503, "MSK_API_TOKEN is not set for the gateway, so that nobody may use /api")
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), self._token.encode()):
            raise HTTPException(401, "send the token: Authorization: Bearer ...", {"WWW-Authenticate": "Bearer"})


def _answering(run: Callable[[], T]) -> T:
    """What it returns; errors that are the asker's or another server's become statuses."""
    try:
        return run()
    except (InvalidRequest, BadTruth) as error:
        raise HTTPException(422, str(error)) from None
    except (UnknownInstance, NoTruth) as error:
        raise HTTPException(404, str(error)) from None
    except TruthConflict as error:
        raise HTTPException(409, str(error)) from None
    except redis.RedisError:
        raise HTTPException(503, "the broker is away", {"Retry-After": "2"}) from None
    except OrthancError as error:
        raise HTTPException(503, f"Orthanc does not do it: {error}", {"Retry-After": "2"}) from None
    except RegistryError as error:
        raise HTTPException(503, f"the model registry cannot be used: {error}") from None


async def _json_object(request: Request) -> dict[str, Any]:
    body = await bounded_body(request, MAX_BODY_BYTES)
    if body is None:
        raise HTTPException(413, f"a request has at most {MAX_BODY_BYTES} bytes")
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise HTTPException(422, "the body is no JSON") from None
    if not isinstance(found, Mapping):
        raise HTTPException(422, "the body is no JSON object")
    return dict(found)


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise HTTPException(422, f"{name} must be a text")
    return value


def _found(store: JobStore, job_id: str) -> Job:
    job = store.find(job_id)
    if job is None:
        raise HTTPException(404, "there is no such job")
    return job
