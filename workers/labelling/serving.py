"""Gives a label worker its classifier, and loads the new version after a promotion."""

import logging
import time
from contextlib import suppress

from mskmodel.registry import Registry, RegistryError, check_weights
from mskmodel.registry.classifier import Classifier

__all__ = ["Serving"]

#: Seconds until a promoted version that could not be loaded is tried again: it may not have been copied here yet.
RETRY_SECONDS = 5.0

log = logging.getLogger(__name__)


class Serving:
    """Holds one classifier, and exchanges it only when `classifier` is called, never while it is in use.

    If the promoted version is missing or damaged, the version that was served before goes on, and the log reports this
    once. A process that starts then also takes the version that was served before.
    """

    def __init__(self, registry: Registry, device: str) -> None:
        """Load the promoted version.

        Raises:
            RegistryError: neither that version nor any served before it can be loaded.
            ValueError: the device does not exist.
        """
        self._registry, self._device = registry, device
        self._complaint = ""
        self._name: str | None = None
        self._failed: str | None = None
        self._retry_at = 0.0
        self._classifier = self._load_first()

    def classifier(self) -> Classifier:
        """The classifier for the next instances; takes long only after a promotion, when it loads the new version."""
        try:
            name = self._registry.promoted_name()
            if name == self._name or (name == self._failed and time.monotonic() < self._retry_at):
                return self._classifier
            if name is None:
                raise RegistryError("the registry's folder is gone, or its pointer to the promoted version")
            self._failed, self._retry_at = name, time.monotonic() + RETRY_SECONDS
            self._classifier = self._load(name)
        except (RegistryError, RuntimeError, MemoryError) as error:  # a full GPU raises RuntimeError
            self._complain(error)
        else:
            log.info("model-loaded version=%s", self._classifier.version)
            self._name, self._failed, self._complaint = name, None, ""
        return self._classifier

    def _load_first(self) -> Classifier:
        """The promoted version, or else the latest of those before it that can be loaded."""
        try:
            name = self._registry.promoted_name()
            classifier = self._load(name or "shipped")
        except RegistryError as error:
            for before in self._registry.served_before():
                with suppress(RegistryError):
                    self._classifier = self._load(before)
                    self._complain(error)
                    return self._classifier
            raise
        self._name = name
        return classifier

    def _load(self, name: str) -> Classifier:
        directory = self._registry.find(name)
        check_weights(directory)
        classifier = Classifier.load(directory, self._device)
        classifier.hasten()
        return classifier

    def _complain(self, error: Exception) -> None:
        if str(error) != self._complaint:
            self._complaint = str(error)
            log.error("model-not-loaded still=%s reason=%s", self._classifier.version, error)
