"""The way from a study to OHIF: `/studies/{study}/viewer` opens it there, hung by its labels."""

from http import HTTPStatus

from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response

from workers.access.role import Role, needs
from workers.pacs import OrthancClient
from workers.pages.awaited_orthanc import AwaitedOrthanc
from workers.pages.studies import orthanc_study
from workers.viewer.installing import BASE

__all__ = ["viewer_link_routes"]


def viewer_link_routes(orthanc: AwaitedOrthanc, role: Role) -> APIRouter:
    """Routes for the gateway to mount, where the viewer is installed. ``role``: the smallest that may use it."""
    router = APIRouter(prefix="/studies", include_in_schema=False)

    @router.get("/{study}/viewer")
    @needs(role)
    async def open_in_viewer(study: str) -> Response:
        """A study, by its Study Instance UID or by Orthanc's identifier, in the viewer."""
        # The viewer compares the first study with the one after it: the best prior's UID belongs there.
        uids = [await orthanc.read(lambda client: _study_instance_uid(client, study))]
        return RedirectResponse(f"{BASE}viewer?StudyInstanceUIDs={','.join(uids)}", HTTPStatus.SEE_OTHER)

    return router


def _study_instance_uid(client: OrthancClient, study: str) -> str:
    return client.study_instance_uid(orthanc_study(client, study))
