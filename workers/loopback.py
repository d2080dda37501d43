"""HTTP to this machine bypasses the proxies that the environment names; HTTP to any other uses them.

`requests` asks the proxies that HTTP_PROXY, HTTPS_PROXY and ALL_PROXY name for loopback too. Adding loopback to
NO_PROXY would not do: what an entry there matches differs between libraries, and a program that uses ours as a
library has an environment of its own. So the decision falls where a request leaves, and the environment stays as it is.
"""

from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter

__all__ = ["DirectToLoopback", "is_loopback"]


class DirectToLoopback(HTTPAdapter):
    """A transport adapter of `requests`, to be mounted on a session for `http://` and `https://`.

    A request to loopback goes there directly; any other takes the proxy, or none, that the session found for it.
    """

    def send(self, request: PreparedRequest, *arguments: Any, **named: Any) -> Response:
        """The answer, as HTTPAdapter.send gives it."""
        if request.url and is_loopback(request.url):
            named["proxies"] = None
        return super().send(request, *arguments, **named)


def is_loopback(url: str) -> bool:
    """Whether the address names this machine by loopback: `localhost`, 127.0.0.0/8 or ::1."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:  # a name
        return False
