"""The gateway's REST interface, for commands: on any host that reaches it, and the one way to the records."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import requests

from workers.metadata.truth import BadTruth, Truth, TruthConflict, TruthError, UnknownInstance
from workers.sentences import network_reason
from workers.settings import MissingSetting
from workers.trusting_adapter import TrustingAdapter

if TYPE_CHECKING:
    from workers.settings import Settings

__all__ = ["Gateway", "GatewayError"]

#: Seconds to connect, and for an answer: the gateway itself waits for Orthanc and for the records.
TIMEOUTS = (5, 120)
#: Entries asked for at a time.
PAGE = 1000
_REFUSALS = {404: UnknownInstance, 409: TruthConflict, 422: BadTruth}


class GatewayError(Exception):
    """The gateway did not do what was asked; it would not do it for another instance either."""


class Gateway:
    """The gateway that the settings name.

    Raises:
        MissingSetting: they name none, or no token.
    """

    def __init__(self, settings: "Settings") -> None:
        if settings.gateway_url is None:
            raise MissingSetting("MSK_GATEWAY_URL")
        if settings.api_token is None:
            raise MissingSetting("MSK_API_TOKEN")
        self._address = settings.gateway_url.rstrip("/")
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {settings.api_token}"
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, TrustingAdapter(settings.trust))

    def set_truth(
        self, instance_id: str, label: str | None, author: str, *, is_new: bool = False, side: str | None = None
    ) -> Truth:
        """Say what an instance shows; the truth as it is now.

        Args:
            is_new: the served model need not know the label.
            side: R, L or B; None leaves what was said of it.

        Raises:
            TruthError: it cannot be set for this instance.
            GatewayError: for none.
        """
        said = {"label": label, "author": author, "new_class": is_new} | ({} if side is None else {"side": side})
        return self._truth("PUT", instance_id, json=said)

    def withdraw_truth(self, instance_id: str, author: str) -> Truth:
        """Withdraw the truth of an instance. Raises as `set_truth`."""
        return self._truth("DELETE", instance_id, params={"author": author})

    def entries(self, name: str, most: int | None, **wanted: str) -> Iterator[dict[str, Any]]:
        """The entries of the `journal` or the `audit-log`, the newest first: all, or so many. Raises GatewayError."""
        before: dict[str, int] = {}
        left = most
        while left is None or left > 0:
            asked = {"count": PAGE if left is None else min(left, PAGE)}
            page = self._json("GET", f"records/{name}", params={**asked, **before, **wanted})
            yield from page
            if len(page) < asked["count"]:
                return
            before = {"before": page[-1]["id"]}
            left = None if left is None else left - len(page)

    def _truth(self, method: str, instance_id: str, **arguments: Any) -> Truth:
        return Truth.from_json(
            self._request(method, f"instances/{quote(instance_id, safe='')}/truth", **arguments).text
        )

    def _json(self, method: str, path: str, **arguments: Any) -> Any:
        return self._request(method, path, **arguments).json()

    def _request(self, method: str, path: str, **arguments: Any) -> requests.Response:
        try:
            answer = self._session.request(method, f"{self._address}/api/{path}", timeout=TIMEOUTS, **arguments)
        except requests.RequestException as error:
            reason = network_reason(error) or type(error).__name__
            raise GatewayError(f"the gateway at {self._address} does not answer: {reason}") from None
        if answer.ok:
            return answer
        try:
            detail = str(answer.json()["detail"])
        except (requests.JSONDecodeError, KeyError, TypeError):
            detail = f"status {answer.status_code}"
        refused: type[TruthError] | None = _REFUSALS.get(answer.status_code)
        raise refused(detail) if refused else GatewayError(f"the gateway refuses: {detail}")
