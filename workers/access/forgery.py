"""Requests forged by other sites: a form of ours carries a token that no other site can know.

The token is made from the session, or, where there is none yet, from a cookie of its own.
"""

import hashlib
import hmac
from urllib.parse import parse_qsl

from fastapi import HTTPException
from starlette.requests import Request

__all__ = ["COOKIE", "check_form", "forgery_token", "form_of"]

COOKIE, FIELD, HEADER = "msk_form", "csrf", "x-csrf-token"
FORM = "application/x-www-form-urlencoded"
#: Most bytes of a form.
MOST = 16 * 1024


def forgery_token(secret: str) -> str:
    """The token of forms. ``secret``: of the session, or the value of the cookie."""
    return hmac.digest(secret.encode("utf-8", "surrogatepass"), b"form", hashlib.sha256).hex()


async def check_form(request: Request, secret: str) -> None:
    """HTTPException 403 where neither header nor form has the token."""
    given = request.headers.get(HEADER) or (await form_of(request)).get(FIELD, "")
    if not secret or not hmac.compare_digest(given.encode("utf-8", "surrogatepass"), forgery_token(secret).encode()):
        raise HTTPException(403, "the form is too old, or not one of ours: open the page again")


async def form_of(request: Request) -> dict[str, str]:
    """The fields of the form, read once; empty for another kind of body. HTTPException 413: it is too long."""
    if not hasattr(request.state, "form"):
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
            return {}
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > MOST:
                raise HTTPException(413, f"a form has at most {MOST} bytes")
        fields = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
        request.state.form = dict(fields)
    found: dict[str, str] = request.state.form
    return found
