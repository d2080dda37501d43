"""Pictures over HTTP: `/pictures/{instance}?size=thumbnail` and `size=reading`."""

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, HTTPException, Request
from starlette.responses import Response

from workers.access.role import Role, needs
from workers.pacs import OrthancClient, OrthancError, OrthancNotFound
from workers.pictures.answer import SIZES, Answer, Ending
from workers.pictures.cache import PictureCache
from workers.pictures.placeholder import placeholder
from workers.pictures.renderers import AT_ONCE, Renderers
from workers.settings import Settings

__all__ = ["picture_routes"]

#: Part of each tag: another one where pictures are to look different.
LOOK = "1"
#: Bytes of pictures that are kept.
KEPT_BYTES = 64 * 2**20
#: Questions to Orthanc at once. Like those of renderings, their threads are not those of the other routes.
LOOKS_AT_ONCE = 4
#: How long a browser shows a picture without asking again: so long a deleted one may stay in sight.
CACHING = "private, max-age=60"

STATUSES = {Ending.GONE: 404, Ending.AWAY: 503, Ending.STOPPED: 200, Ending.REFUSED: 200, Ending.PICTURE: 200}


def picture_routes(settings: Settings) -> APIRouter:
    """Routes for the gateway to mount. Children that render are started when a picture is asked for first."""
    router = APIRouter(include_in_schema=False)
    orthanc, renderers, cache = OrthancClient.of(settings), Renderers(), PictureCache(KEPT_BYTES)
    looking, rendering = CapacityLimiter(LOOKS_AT_ONCE), CapacityLimiter(AT_ONCE)
    # A page of thumbnails leaves a child for the picture that somebody reads.
    sized = {"thumbnail": CapacityLimiter(max(1, AT_ONCE - 1)), "reading": CapacityLimiter(AT_ONCE)}

    @router.get("/pictures/{instance_id}")
    @needs(Role.VIEWER)
    async def picture(instance_id: str, request: Request, size: str = "thumbnail") -> Response:
        """The picture as WebP; as SVG the reason why there is none, with 404 where the instance is gone."""
        if size not in SIZES:
            raise HTTPException(422, f"size is one of {', '.join(SIZES)}")
        found = await to_thread.run_sync(_identity, orthanc, instance_id, limiter=looking)
        if isinstance(found, Answer):
            return _shown(found)
        tag = f'"{found}-{size}-{LOOK}"'
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers={"ETag": tag, "Cache-Control": CACHING})
        return _shown(await answer(instance_id, size, f"{instance_id} {tag}"), tag)

    async def answer(instance_id: str, size: str, key: str) -> Answer:
        if kept := cache.get(key):
            return kept
        async with sized[size]:
            if kept := cache.get(key):  # made while this one waited
                return kept
            made = await to_thread.run_sync(renderers.picture, instance_id, size, limiter=rendering)
        if made.ending in (Ending.PICTURE, Ending.REFUSED):
            cache.put(key, made)
        return made

    return router


def _identity(orthanc: OrthancClient, instance_id: str) -> str | Answer:
    """What changes with the file; an answer where there is none."""
    try:
        return orthanc.file_identity(instance_id)
    except OrthancNotFound:
        return Answer.because(Ending.GONE, "deleted: Orthanc holds no such instance")
    except OrthancError:
        return Answer.because(Ending.AWAY, "Orthanc does not answer: try again later")


def _shown(answer: Answer, tag: str = "") -> Response:
    if answer.ending is Ending.PICTURE:
        return Response(answer.content, 200, {"ETag": tag, "Cache-Control": CACHING}, media_type="image/webp")
    headers = {"Cache-Control": "no-store"}
    if answer.ending is Ending.REFUSED:
        headers = {"ETag": tag, "Cache-Control": CACHING}
    return Response(placeholder(answer.reason), STATUSES[answer.ending], headers, media_type="image/svg+xml")
