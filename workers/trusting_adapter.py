"""HTTPS by our own rule of whom to trust: `requests` alone trusts the authorities that it brings, not the system's."""

from typing import Any

import urllib3
from requests import PreparedRequest, Response

from workers.loopback import DirectToLoopback
from workers.tls import Trust

__all__ = ["TrustingAdapter"]


class TrustingAdapter(DirectToLoopback):
    """A transport adapter of `requests`. What REQUESTS_CA_BUNDLE names, or `requests` brings, is trusted too."""

    def __init__(self, trust: Trust, **options: Any) -> None:
        self._trust = trust
        super().__init__(**options)
        if not trust.verify:
            # It would be said with every request; `Settings` says it once.
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)

    def init_poolmanager(self, *arguments: Any, **named: Any) -> None:
        """Connections that go straight to the server."""
        super().init_poolmanager(*arguments, ssl_context=self._trust.context(), **named)

    def proxy_manager_for(self, proxy: str, **named: Any) -> Any:
        """Connections that go through a proxy."""
        return super().proxy_manager_for(proxy, ssl_context=self._trust.context(), **named)

    def send(self, request: PreparedRequest, *arguments: Any, **named: Any) -> Response:
        """The answer, as HTTPAdapter.send gives it."""
        if not self._trust.verify:
            named["verify"] = False  # REQUESTS_CA_BUNDLE would turn it on again
        return super().send(request, *arguments, **named)
