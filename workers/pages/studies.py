"""Studies: the latest ones, and one of them hung by its labels: `/studies` and `/studies/{StudyInstanceUID}`."""

import re
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import RedirectResponse, Response

from mskmodel.labels import known_labels
from mskmodel.results.report import REPORT
from workers.access.asker import asker_of
from workers.access.awaited_records import AwaitedRecords
from workers.access.forgery import form_of
from workers.access.role import Role, needs
from workers.metadata.truth import TruthError
from workers.metadata.truth_changes import Journal, set_truth, withdraw_truth
from workers.pacs import OrthancClient
from workers.pages.awaited_orthanc import AwaitedOrthanc
from workers.pages.awaited_priors import AwaitedPriors
from workers.pages.hanging import Row, hung
from workers.pages.rendering import Pages, spoken
from workers.priors.study_priors import StudyPriors
from workers.records.review_queue import latest_studies

__all__ = ["orthanc_study", "studies_routes"]

LIST_PAGE, PAGE = "studies.html.jinja", "study.html.jinja"
#: Studies in the list, and most pictures of one that are shown.
LISTED, MOST = 50, 200

_UID = re.compile(r"[0-9]+(\.[0-9]+)+")


def studies_routes(
    records: AwaitedRecords,
    orthanc: AwaitedOrthanc,
    orthanc_url: str,
    journal: Journal,
    pages: Pages,
    viewer: Role | None,
) -> APIRouter:
    """Routes for the gateway to mount.

    ``orthanc_url``: for links to Orthanc Explorer. ``viewer``: the smallest role that may open studies in the viewer;
    None where there is none.
    """
    router = APIRouter(prefix="/studies", include_in_schema=False)
    explorer, priors = f"{orthanc_url.rstrip('/')}/app/explorer.html", AwaitedPriors(records, orthanc)

    async def shown(request: Request, study: str, status: int = 200, sentence: str = "") -> Response:
        identifier, rows, date = await orthanc.read(lambda client: _study(client, study))
        content: dict[str, Any] = {"study": identifier, "rows": rows, "date": date, "most": MOST, "sentence": sentence}
        told, no_priors = await _priors(priors, identifier)
        may_view = viewer is not None and asker_of(request).role >= viewer
        content |= {"priors": told, "no_priors": no_priors, "may_view": may_view}
        return pages.page(request, PAGE, status, explorer=explorer, **content)

    @router.get("")
    @needs(Role.VIEWER)
    async def list_studies(request: Request) -> Response:
        """The studies that got an instance last."""
        found = await records.read(lambda connection: latest_studies(connection, LISTED))
        return pages.page(request, LIST_PAGE, studies=found)

    @router.get("/{study}")
    @needs(Role.VIEWER)
    async def show_study(request: Request, study: str) -> Response:
        """A study, by its Study Instance UID or by Orthanc's identifier."""
        return await shown(request, study)

    @router.post("/{study}/withdraw")
    @needs(Role.REVIEWER)
    async def withdraw(request: Request, study: str) -> Response:
        """Withdraw the truth of the instance `instance`, if it is the one of the time `seen` still."""
        form, by = await form_of(request), asker_of(request).name
        instance, seen = form.get("instance", ""), form.get("seen", "")
        try:
            await orthanc.read(lambda client: withdraw_truth(client, instance, by, journal, seen))
        except TruthError as error:
            return await shown(request, study, HTTPStatus.CONFLICT, spoken(error))
        return RedirectResponse(f"/studies/{study}", HTTPStatus.SEE_OTHER)

    @router.post("/{study}/side")
    @needs(Role.REVIEWER)
    async def say_side(request: Request, study: str) -> Response:
        """Say that `instance` shows `label` of the side `side`, if what stands is of the time `seen`."""
        form, by = await form_of(request), asker_of(request).name
        instance, label, side, seen = (form.get(name, "") for name in ("instance", "label", "side", "seen"))

        def say(client: OrthancClient) -> None:
            set_truth(client, instance, label, by, known_labels(), journal, seen, side)

        try:
            await orthanc.read(say)
        except TruthError as error:
            return await shown(request, study, HTTPStatus.CONFLICT, spoken(error))
        return RedirectResponse(f"/studies/{study}", HTTPStatus.SEE_OTHER)

    return router


async def _priors(priors: AwaitedPriors, study: str) -> tuple[StudyPriors | None, str]:
    """The priors, or why there are none to be told: the study itself is shown all the same."""
    try:
        return await priors.of(study), ""
    except HTTPException as error:
        return None, spoken(Exception(error.detail))


def orthanc_study(client: OrthancClient, study: str) -> str:
    """Orthanc's identifier of a study that is named by it or by its Study Instance UID.

    HTTPException 404: there is no study of this UID. OrthancError: passed on.
    """
    identifier = client.lookup_study(study) if _UID.fullmatch(study) else study
    if identifier is None:
        raise HTTPException(404, "Orthanc holds no such study: it may have been deleted")
    return identifier


def _study(client: OrthancClient, study: str) -> tuple[str, list[Row] | None, str]:
    """Orthanc's identifier, the rows, None where there are too many pictures, and the date.

    HTTPException 404: there is no such study. OrthancError: passed on.
    """
    identifier = orthanc_study(client, study)
    metadata = client.study_metadata(identifier, MOST)
    if metadata is None:
        return identifier, None, ""
    date = next(iter(client.study_dates(list(metadata)[:1]).values()), "")
    metadata = {i: its_own for i, its_own in metadata.items() if its_own.get("SopClassUid") != REPORT}  # no pictures
    return identifier, hung(metadata), f"{date[:4]}-{date[4:6]}-{date[6:]}" if re.fullmatch(r"[0-9]{8}", date) else ""
