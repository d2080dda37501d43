"""The body of a request: never more of it than a limit, and what it holds."""

import json
from collections.abc import Mapping
from typing import Any

from fastapi import HTTPException, Request

__all__ = ["LONGEST_LIST", "bounded_body", "json_object", "text"]

#: Bytes of a body under /api: a job may name many instances.
MAX_BODY_BYTES = 4 * 1024 * 1024
#: Rows in one answer, at most, however many are asked for.
LONGEST_LIST = 1000


async def bounded_body(request: Request, most: int) -> bytes | None:
    """All of it, None where it has over `most` bytes; no more than that is ever held."""
    body = bytearray()
    async for part in request.stream():
        if len(body) + len(part) > most:
            return None
        body += part
    return bytes(body)


async def json_object(request: Request) -> dict[str, Any]:
    """The JSON object that the body is. HTTPException: 413 where it is too long, 422 where it is none."""
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


def text(name: str, value: Any) -> str:
    """The value, if it is a text. HTTPException 422 where it is not."""
    if not isinstance(value, str):
        raise HTTPException(422, f"{name} must be a text")
    return value
