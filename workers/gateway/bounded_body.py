"""The body of a request, up to a limit."""

from fastapi import Request

__all__ = ["bounded_body"]


async def bounded_body(request: Request, most: int) -> bytes | None:
    """All of it, None where it has over `most` bytes; no more than that is ever held."""
    body = bytearray()
    async for part in request.stream():
        if len(body) + len(part) > most:
            return None
        body += part
    return bytes(body)
