"""A page: a template filled in, with who is signed in, and the token against forgery that its forms carry."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse

from workers.access.asker import Asker
from workers.access.forgery import COOKIE, forgery_token
from workers.access.proxies import Proxies
from workers.access.role import Role
from workers.access.secret import new_secret
from workers.pages.wording import display, percent

__all__ = ["Pages", "spoken"]

#: Where people may go from each page: address, name, and the role that it needs.
PLACES = (
    ("/arrivals", "Arrivals", Role.VIEWER),
    ("/studies", "Studies", Role.VIEWER),
    ("/review", "Review", Role.REVIEWER),
    ("/ledger", "Ledger", Role.VIEWER),
    ("/models", "Models", Role.VIEWER),
    ("/jobs", "Jobs", Role.VIEWER),
    ("/users", "Users", Role.ADMIN),
)

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters |= {"display": display, "percent": percent}


def spoken(error: Exception) -> str:
    """What the error says, as a sentence of its own."""
    said = str(error)
    return f"{said[:1].upper()}{said[1:]}."


class Pages:
    """Renders the templates. ``proxies``: those before the gateway."""

    def __init__(self, proxies: Proxies) -> None:
        self._proxies = proxies

    def page(self, connection: HTTPConnection, template: str, status: int = 200, **content: object) -> HTMLResponse:
        """The page as an answer that no browser keeps."""
        asker = getattr(connection.state, "asker", None)
        secret = asker.secret if isinstance(asker, Asker) else connection.cookies.get(COOKIE, "")
        is_new = not secret
        secret = secret or new_secret()
        role = asker.role if isinstance(asker, Asker) else None
        may = {f"is_{each.word}": role is not None and role >= each for each in (Role.REVIEWER, Role.ADMIN)}
        common = may | {
            "asker": asker,
            "path": connection.url.path,
            "places": [(address, name) for address, name, needed in PLACES if role and role >= needed],
        }
        text = _TEMPLATES.get_template(template).render(common | content, csrf=forgery_token(secret))
        answer = HTMLResponse(text, status, {"Cache-Control": "no-store"})
        if is_new:
            secure = self._proxies.is_secure(connection)
            answer.set_cookie(COOKIE, secret, secure=secure, httponly=True, samesite="strict")
        return answer
