"""HTTP with Orthanc: the one place where a status becomes an error.

`orthanc-api-client` makes the requests. Its own retries would replay POSTs, and it reports some failures as
success (503, a truncated answer, a conflict that is not JSON); this module prevents both. A request returns a
complete 2xx answer, or raises one of the errors below.
"""

import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
from orthanc_api_client import OrthancApiClient

from workers.sentences import network_reason
from workers.tls import Trust
from workers.trusting_adapter import TrustingAdapter

__all__ = [
    "OrthancConflict",
    "OrthancError",
    "OrthancHttp",
    "OrthancNotFound",
    "OrthancRefused",
    "OrthancUnavailable",
    "OrthancUnregistered",
]

#: Orthanc's own number for "Accessing an inexistent item"; a resource that it does not have is another error.
INEXISTENT_ITEM = 7
#: Connections kept alive, and so the most threads that can make requests at once without opening new ones.
POOL = 32

log = logging.getLogger(__name__)


class OrthancError(Exception):
    """Orthanc did not do what was asked. The message contains no patient's name and no password.

    It says where and what, as in "GET instances/...: status 500".
    """

    status: int | None = None
    """Of the answer; None where there was none, or not a whole one."""

    @property
    def what(self) -> str:
        """The message without the address: the same for all that fail in the same way."""
        return str(self).rpartition(": ")[2]


class OrthancUnavailable(OrthancError):
    """No connection (an untrusted certificate too), no answer in time, a 5xx, one cut off or unreadable: try again."""


class OrthancNotFound(OrthancError):
    """404: no such instance, or no such metadata on it."""


class OrthancUnregistered(OrthancNotFound):
    """404 for a name, such as that of metadata, that Orthanc's configuration does not have."""


class OrthancConflict(OrthancError):
    """409 or 412: somebody else wrote in between."""


class OrthancRefused(OrthancError):
    """Any other failure, such as 401 or 403 for a wrong password: trying again will not help."""


class _Dropped(OrthancUnavailable):
    """The connection ended without an answer."""


class OrthancHttp:
    """A kept-alive, thread-safe session with one Orthanc.

    It goes through the proxy that the environment names for that address, if any; to loopback it never does.

    Args:
        url: base address, with or without a path; a user and password in it are dropped.
        timeouts: seconds to connect, and between two pieces of an answer.
        trust: whose certificates are accepted where the address begins with https.
    """

    def __init__(self, url: str, user: str, password: str, timeouts: tuple[float, float], trust: Trust) -> None:
        self.address = _without_credentials(url)
        self._timeouts = timeouts
        self._session = _Session(self.address, user, password, trust)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.address})"

    def request(
        self,
        method: str,
        path: str,
        *,
        data: bytes | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
        stream: bool = False,
        repeatable: bool | None = None,
        anonymous: bool = False,
    ) -> requests.Response:
        """The complete answer; with `stream`, one whose body is still to be read.

        Orthanc closes idle connections after a second, so a request whose connection ends without an answer is
        retried once if that is safe: for every method but POST, unless `repeatable` says otherwise. With `anonymous`,
        it carries no user and password.

        Raises:
            OrthancError: one of its subclasses, for everything that is not a 2xx.
        """
        send = getattr(self._session, method.lower())
        if repeatable is None:
            repeatable = method != "POST"
        arguments = {
            "data": data,
            "json": json,
            "headers": dict(headers or {}),
            "stream": stream,
            "timeout": self._timeouts,
            "allow_redirects": False,
        }
        if anonymous:
            arguments["auth"] = _unchanged
        try:
            answer = send(path, **arguments)
        except _Dropped:
            if not repeatable:
                raise
            answer = send(path, **arguments)
        if not isinstance(answer, requests.Response):
            raise OrthancUnavailable(f"{method} {path}: no answer")
        return answer

    def json(self, method: str, path: str, **arguments: Any) -> Any:
        """The answer's JSON. Raises OrthancUnavailable if it is not JSON."""
        answer = self.request(method, path, **arguments)
        try:
            return answer.json()
        except requests.JSONDecodeError as error:
            raise OrthancUnavailable(f"{method} {path}: the answer is no JSON") from error

    def close(self) -> None:
        """Close the connections."""
        self._session.close()


class _Session(OrthancApiClient):  # type: ignore[misc]  # it publishes no types
    """orthanc-api-client without retries, and with an error for every failure."""

    def __init__(self, address: str, user: str, password: str, trust: Trust) -> None:
        # By default Orthanc compresses every answer, which takes 30 times as long for a radiograph.
        super().__init__(address, user=user, pwd=password, headers={"Accept-Encoding": "identity"})
        for scheme in ("http://", "https://"):
            self._http_session.mount(scheme, TrustingAdapter(trust, pool_maxsize=POOL, max_retries=0))

    def _raise_or_retry_on_errors(self, response: requests.Response, url: str) -> bool:
        if not 200 <= response.status_code < 300:
            response.close()
            error = _error_of(response, urlsplit(url).path)
            error.status = response.status_code
            raise error
        return False

    def _translate_exception(self, request_exception: requests.RequestException, url: str) -> None:
        lost = isinstance(request_exception, requests.ConnectionError)
        late = isinstance(request_exception, requests.Timeout)
        kind = _Dropped if lost and not late else OrthancUnavailable
        where = urlsplit(url)
        what = network_reason(request_exception) or type(request_exception).__name__
        raise kind(f"no answer from Orthanc at {where.netloc}{where.path}: {what}") from None


def _unchanged(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _error_of(response: requests.Response, path: str) -> OrthancError:
    status = response.status_code
    message = f"{response.request.method} {path}: status {status}"
    if status == 404:
        return (OrthancUnregistered if _number(response) == INEXISTENT_ITEM else OrthancNotFound)(message)
    if status in (409, 412):
        return OrthancConflict(message)
    if status in (408, 425, 429) or status >= 500:
        return OrthancUnavailable(message)
    if status in (401, 403):
        return OrthancRefused(f"{message}: wrong user or password, or this user is not allowed to do it")
    if 300 <= status < 400:
        return OrthancRefused(f"{message}: it is a redirect; configure the address that it leads to")
    return OrthancRefused(message)


def _number(response: requests.Response) -> object:
    """Orthanc's own number of the error, where the answer describes it."""
    try:
        described = response.json()
    except requests.RequestException:
        return None
    return described.get("OrthancStatus") if isinstance(described, dict) else None


def _without_credentials(url: str) -> str:
    """The address without user and password, and with a slash at its end, to which paths can be appended."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("the address of Orthanc must begin with http:// or https:// and name a host")
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/") + "/", "", ""))
