"""The way from a study to OHIF: `/studies/{study}/viewer` opens it there beside its best prior, hung by its labels."""

from http import HTTPStatus

from fastapi import APIRouter, HTTPException
from starlette.responses import RedirectResponse, Response

from workers.access.role import Role, needs
from workers.pages.awaited_orthanc import AwaitedOrthanc
from workers.pages.awaited_priors import AwaitedPriors
from workers.pages.studies import orthanc_study
from workers.priors.study_priors import StudyPriors
from workers.viewer.installing import BASE

__all__ = ["viewer_link_routes"]


def viewer_link_routes(orthanc: AwaitedOrthanc, priors: AwaitedPriors, role: Role) -> APIRouter:
    """Routes for the gateway to mount, where the viewer is installed. ``role``: the smallest that may use it."""
    router = APIRouter(prefix="/studies", include_in_schema=False)

    @router.get("/{study}/viewer")
    @needs(role)
    async def open_in_viewer(study: str, prior: str = "") -> Response:
        """A study, by its Study Instance UID or Orthanc's identifier, beside the prior `prior`, or else the best one.

        409 for a study of two patients, which the viewer would mix.
        """
        uid = await orthanc.read(lambda client: client.study_instance_uid(orthanc_study(client, study)))
        uids = [uid]
        if priors.are_there:
            try:
                uids += _beside(await priors.of(uid), prior)
            except HTTPException as error:
                if error.status_code != HTTPStatus.NOT_FOUND:  # the index has yet to meet what came just now
                    raise
        # The viewer compares the first study with the one after it.
        return RedirectResponse(f"{BASE}viewer?StudyInstanceUIDs={','.join(uids)}", HTTPStatus.SEE_OTHER)

    return router


def _beside(found: StudyPriors, wanted: str) -> list[str]:
    """The Study Instance UID of the wanted prior; else of the best one with pictures to compare; none without one."""
    fits = [one for one in found.priors if one.study.study_uid == wanted]
    fits = fits or [one for one in found.priors if one.prior.pairs]
    return [one.study.study_uid for one in fits[:1]]
