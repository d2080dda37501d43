"""How a command says what an instance shows: through the gateway, or to Orthanc where a site keeps no records."""

from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workers.metadata.truth import Truth
    from workers.pacs import OrthancClient
    from workers.settings import Settings

__all__ = ["Saying"]


class Saying:
    """Sets and withdraws truths under one author's name. Raises MissingSetting where there is no way to the records."""

    def __init__(self, settings: "Settings", orthanc: "OrthancClient", author: str) -> None:
        from workers.terminal.gateway import Gateway

        self._orthanc, self._author = orthanc, author
        # Only the gateway opens the records, and only the journal in them makes what was said outlive its instance.
        self._gateway = Gateway(settings) if settings.gateway_url or settings.records else None

    def set_truth(
        self,
        instance_id: str,
        label: str | None,
        classes: Collection[str],
        new_classes: Collection[str] = (),
        side: str | None = None,
    ) -> "Truth":
        """Say what an instance shows; the truth as it is now.

        Args:
            classes: of the served model, with `new_classes` among them, which the gateway's need not know.
            side: R, L or B; None leaves what was said of it.

        Raises:
            TruthError: it cannot be set for this instance.
            GatewayError, OrthancError: for none.
        """
        from workers.metadata.truth import checked_label
        from workers.metadata.truth_changes import set_truth

        if self._gateway is None:
            return set_truth(self._orthanc, instance_id, label, self._author, classes, side=side)
        label = checked_label(label, classes)
        return self._gateway.set_truth(instance_id, label, self._author, is_new=label in new_classes, side=side)

    def withdraw_truth(self, instance_id: str) -> "Truth":
        """Withdraw what was said. Raises as `set_truth`."""
        from workers.metadata.truth_changes import withdraw_truth

        if self._gateway is None:
            return withdraw_truth(self._orthanc, instance_id, self._author)
        return self._gateway.withdraw_truth(instance_id, self._author)
