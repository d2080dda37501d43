"""The body of a request: read up to a limit, and checked."""

import json
from collections.abc import Mapping
from typing import Any

from fastapi import HTTPException, Request

__all__ = ["LONGEST_LIST", "bounded_body", "json_object", "text"]

#: Most bytes of a body under /api; a job may name many instances.
MAX_BODY_BYTES = 4 * 1024 * 1024
#: Most rows in one answer, however many are asked for.
LONGEST_LIST = 1000


async def bounded_body(request: Request, most: int) -> bytes | None:
    """The whole body; None if it has more than `most` bytes. Never holds more than these in memory."""
    body = bytearray()
    async for part in request.stream():
        if len(body) + len(part) > most:
            return None
        body += part
    return bytes(body)


async def json_object(request: Request) -> dict[str, Any]:
    """The body as a JSON object. HTTPException: 413 if it is too long, 422 if it is no JSON object."""
    body = await bounded_body(request, MAX_BODY_BYTES)
    if body is None:
        raise HTTPException(413, f"a request has at most {MAX_BODY_BYTES} bytes")
    try:
        found = json.loads(body)
        json.dumps(found, ensure_ascii=False).encode()  # JSON may escape what is no character, and cannot be answered
    except (ValueError, RecursionError):
        raise HTTPException(422, "the body is not JSON") from None
    if not isinstance(found, Mapping):
        raise HTTPException(422, "the body is not a JSON object")
    return dict(found)


def text(name: str, value: Any) -> str:
    """The value, if it is a string. HTTPException 422 if it is not."""
    if not isinstance(value, str):
        raise HTTPException(422, f"{name} must be a string")
    return value
