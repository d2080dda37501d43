"""DICOMweb over HTTP at `/dicom-web`: QIDO-RS and WADO-RS, for those who may see names."""

import re

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import Response

from workers.access.opened_records import OpenedRecords
from workers.access.proxies import Proxies
from workers.access.role import Role, needs
from workers.dicomweb.answer import Answer, Bounds
from workers.dicomweb.resource import Kind, Resource
from workers.dicomweb.serving import Serving
from workers.pacs import DicomWeb
from workers.settings import Settings

__all__ = ["dicomweb_routes"]

#: What a client may send to Orthanc, beside its path and query.
HEADERS = ("accept", "range")
#: What `Host` may be, before Orthanc puts it into the addresses of its answers.
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")
_JSON = re.compile(r"(^|,)\s*(\*/\*|application/(\*|json|dicom\+json))\s*(;|,|$)", re.IGNORECASE)


def dicomweb_routes(settings: Settings, proxies: Proxies) -> APIRouter:
    """Routes for the gateway to mount. ``proxies``: those before the gateway."""
    router, bounds = APIRouter(prefix="/dicom-web", include_in_schema=False), Bounds()
    records = OpenedRecords(settings.records) if settings.records else None
    orthanc = DicomWeb.of(settings)

    @router.api_route("/{path:path}", methods=["GET", "HEAD"])
    @needs(Role.of(settings.names_role))
    async def serve(path: str, request: Request) -> Response:
        """What Orthanc's plugin serves there, rewritten; 501 where it has none."""
        if records is None:
            raise HTTPException(503, "nothing is known of labels: MSK_RECORDS is not set for the gateway")
        resource = Resource.of(path)
        if resource is None:
            raise HTTPException(404, "DICOMweb has nothing at this address, or it is not served here")
        accepted = request.headers.get("accept", "*/*")
        if resource.kind is not Kind.PIXELS and not _JSON.search(accepted):
            raise HTTPException(406, "attributes are served as application/dicom+json alone")
        query, headers = request.query_params.multi_items(), _headers(request, proxies)
        serving = Serving(orthanc, records.reading)
        return Answer(lambda: serving.begin(resource, query, headers), bounds, head_only=request.method == "HEAD")

    return router


def _headers(request: Request, proxies: Proxies) -> dict[str, str]:
    """What Orthanc is sent. Of `Forwarded` it makes the addresses in its answers, so that they lead here."""
    host = proxies.host(request)
    if not _HOST.fullmatch(host):
        raise HTTPException(400, "the header Host is no host")
    scheme = "https" if proxies.is_secure(request) else "http"
    kept = {name: request.headers[name] for name in HEADERS if name in request.headers}
    return {**kept, "Forwarded": f"host={host};proto={scheme}"}
