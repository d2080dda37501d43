"""Truths over HTTP: set and withdraw them, and suggest which instances to look at next."""

import json
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from mskmodel.registry import Registry, read_manifest
from workers.access.asker import asker_of
from workers.access.role import Role, needs
from workers.corrections.suggesting import as_plain, suggestions
from workers.gateway.request_body import LONGEST_LIST, json_object, text
from workers.metadata.truth import Truth, TruthConflict
from workers.metadata.truth_changes import Journal, set_truth, withdraw_truth
from workers.pacs import OrthancClient
from workers.pages.refusals import answering

__all__ = ["truth_routes"]


def truth_routes(orthanc: OrthancClient, registry: Registry, orthanc_url: str, journal: Journal) -> APIRouter:
    """Routes under /instances, and /suggestions."""
    router = APIRouter()

    @router.get("/suggestions")
    @needs(Role.VIEWER)
    def suggest(count: int = 20) -> list[dict[str, Any]]:
        """The instances that a person should look at next, the most doubtful first."""
        number = max(1, min(count, LONGEST_LIST))
        return [as_plain(each, orthanc_url) for each in answering(lambda: suggestions(orthanc, number))]

    @router.put("/instances/{instance_id}/truth")
    @needs(Role.REVIEWER)
    async def say_truth(instance_id: str, request: Request) -> Any:
        """Say what an instance shows: `label`, null for none of them; perhaps `side`, `author`, `new_class` (true).

        `seen`: time of the truth that the person has seen, "" for none. Where another one stands: 409, with it.
        """
        said = await json_object(request)
        if "label" not in said:
            raise HTTPException(422, "label is missing; null means none of the classes")
        label = None if said["label"] is None else text("label", said["label"])
        author = asker_of(request).author(text("author", said.get("author", "")))
        seen = text("seen", said["seen"]) if "seen" in said else None
        side = text("side", said["side"]) if "side" in said else None
        is_new = said.get("new_class") is True

        def run() -> Truth:
            served = read_manifest(registry.promoted())
            known = (*served["classes"], *served.get("others", ()), *([label] if is_new and label else []))
            return set_truth(orthanc, instance_id, label, author, known, journal, seen, side)

        return await run_in_threadpool(answering, lambda: written(instance_id, run))

    @router.delete("/instances/{instance_id}/truth")
    @needs(Role.REVIEWER)
    def withdraw(instance_id: str, request: Request, author: str = "", seen: str | None = None) -> Any:
        """Withdraw an instance's truth; 404 if there is none. `seen`: as for saying one."""
        by = asker_of(request).author(author)
        return answering(lambda: written(instance_id, lambda: withdraw_truth(orthanc, instance_id, by, journal, seen)))

    def written(instance_id: str, write: Callable[[], Truth]) -> Any:
        """The new truth; where another one is in its way, 409 with that one as `truth`, null where none stands."""
        try:
            return _plain(write())
        except TruthConflict as conflict:
            standing = Truth.standing(orthanc.metadata(instance_id))
            answer = {"detail": str(conflict), "truth": _plain(standing) if standing else None}
            return JSONResponse(answer, 409)

    return router


def _plain(truth: Truth) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(truth.to_json())
    return found
