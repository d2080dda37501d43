"""The page on which people say what pictures show: `/review`."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import Response

from mskmodel.judging.active_learning import Candidate, suggest
from mskmodel.registry import Registry, read_manifest
from mskmodel.tables.label_cell import NONE
from workers.access.awaited_records import AwaitedRecords
from workers.access.role import Role, needs
from workers.metadata.candidate import candidate_of
from workers.metadata.outcome import Outcome
from workers.metadata.truth import Truth
from workers.pacs import OrthancClient
from workers.pages.awaited_orthanc import AwaitedOrthanc
from workers.pages.legend import NONE_KEY, legend
from workers.pages.rendering import Pages
from workers.pages.wording import NONE_OF_THEM, claimed, display, percent
from workers.records.known_values import known_part
from workers.records.review_queue import Queue, own_classes, waiting

__all__ = ["review_routes"]

PAGE = "review.html.jinja"
#: Pictures of a sitting.
SITTING = 60
#: Instances that are looked at to find them: the index learns of what was said some seconds later than Orthanc.
AT_A_TIME, ROUNDS = 180, 5

TABS = {
    Queue.UNSURE: "Unsure",
    Queue.DISAGREEING: "Header disagrees",
    Queue.NONE: "None of the classes",
    Queue.RANDOM: "Random check",
}
WHY = {
    Queue.UNSURE: "What the model is least certain of comes first, different answers in turn.",
    Queue.DISAGREEING: "What the pixels show, and the header does not say.",
    Queue.NONE: "What the model takes for none of the classes.",
    Queue.RANDOM: "Any pictures, to see how often the labels are right.",
}

#: An instance as the page needs it: the candidate, and its outcome.
Found = tuple[Candidate, Outcome]


def review_routes(records: AwaitedRecords, orthanc: AwaitedOrthanc, registry: Registry, pages: Pages) -> APIRouter:
    """Routes for the gateway to mount."""
    router = APIRouter(include_in_schema=False)

    @router.get("/review")
    @needs(Role.REVIEWER)
    async def review(request: Request, queue: str = Queue.UNSURE, start: str = "") -> Response:
        """A sitting of a queue. ``start``: where a random check begins, so that a reload shows the same one."""
        if queue not in list(Queue):
            raise HTTPException(422, f"queue is one of {', '.join(Queue)}")
        chosen, start = Queue(queue), start or secrets.token_hex(4)
        served = await orthanc.read(lambda _: tuple(read_manifest(registry.promoted())["classes"]))
        own = [key for key in await records.read(own_classes) if key not in (*served, NONE)]
        found = await _sitting(records, orthanc, chosen, start)
        content: dict[str, object] = {
            "queue": chosen.value,
            "tabs": {tab.value: name for tab, name in TABS.items()},
            "why": WHY[chosen],
            "start": start,
            "legend": legend([*served, *own]),
            "own": own,
            "names": {key: display(key) for key in (*served, *own)} | {"": NONE_OF_THEM},
            "none_key": NONE_KEY,
            "items": [_item(candidate, outcome) for candidate, outcome in found],
        }
        return pages.page(request, PAGE, 200, **content)

    return router


async def _sitting(records: AwaitedRecords, orthanc: AwaitedOrthanc, queue: Queue, start: str) -> list[Found]:
    """Instances of the queue that nobody has said anything of by now, in the order of the page."""
    found: dict[str, Found] = {}
    for turn in range(ROUNDS):
        patients = await records.read(
            partial(waiting, queue=queue, count=AT_A_TIME, skip=turn * AT_A_TIME, start=start)
        )
        found |= await orthanc.read(_candidates(patients))
        if len(found) >= SITTING or len(patients) < AT_A_TIME:
            break
    if queue is not Queue.UNSURE:
        return list(found.values())[:SITTING]
    return [found[each.key] for each in suggest([candidate for candidate, _ in found.values()], SITTING)]


def _candidates(patients: Mapping[str, str]) -> Callable[[OrthancClient], dict[str, Found]]:
    """Those of the instances without a truth, in this order, by Orthanc's own metadata."""

    def read(orthanc: OrthancClient) -> dict[str, Found]:
        metadata = orthanc.metadata_of(list(patients)) if patients else {}
        found: dict[str, Found] = {}
        for name, patient in patients.items():
            said = Outcome.of(metadata.get(name, {}))
            outcome = known_part(said) if said else None
            candidate = candidate_of(name, outcome) if outcome else None
            if outcome and candidate and Truth.standing(metadata[name]) is None:
                found[name] = replace(candidate, patient=patient), outcome
        return found

    return read


def _item(candidate: Candidate, outcome: Outcome) -> dict[str, Any]:
    """A picture as the page's script reads it."""
    return {
        "instance": candidate.key,
        "suggested": candidate.said or "",
        "top": [[key, percent(probability)] for key, probability in candidate.top],
        "claimed": claimed(outcome.claims),
        "disagrees": candidate.header_disagrees,
        "explanation": outcome.explanation or "",
    }
