"""An instance on its way to a label: as Orthanc holds it, and ready for the model."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from mskmodel.evidence.claim import Claims
from mskmodel.registry.decision import Classification
from workers.labelling.deciding import Judge
from workers.ledger import Claim
from workers.metadata.outcome import FAILED, SKIPPED, Outcome

__all__ = ["Instance", "Prepared"]


@dataclass(frozen=True)
class Instance:
    """A claimed instance as Orthanc holds it."""

    claim: Claim
    tries: int
    identity: str
    """Of its file, as `OrthancClient.file_identity` gives it."""
    metadata: dict[str, str]

    def skipped(self, reason: str) -> Outcome:
        """The outcome of an instance that is not to be labelled."""
        return Outcome(SKIPPED, self.identity, self.tries, reason=reason, stored_at=self.stored_at)

    def failed(self, reason: str, *, retry: bool = False) -> Outcome:
        """The outcome of an instance that cannot be labelled; `retry`: whether the sweep tries it again, seldom."""
        return Outcome(FAILED, self.identity, self.tries, reason=reason, stored_at=self.stored_at, retry=retry)

    def is_covered(self, model: str) -> bool:
        """Whether it already has an outcome for this file and this model."""
        outcome = Outcome.of(self.metadata)
        return outcome is not None and outcome.covers(self.identity, model)

    @property
    def stored_at(self) -> str | None:
        """When Orthanc received it, ISO 8601; Orthanc's own time is in UTC, but has no time zone."""
        try:
            return datetime.fromisoformat(self.metadata["ReceptionDate"]).replace(tzinfo=UTC).isoformat()
        except (KeyError, ValueError):
            return None


@dataclass(frozen=True)
class Prepared:
    """An instance that is ready for the model, and the time of each step so far."""

    instance: Instance
    pixels: NDArray[np.float32]
    """Input of the network, (3, size, size)."""
    pixel_hash: str
    header: dict[str, str]
    """Body part, view position and laterality as the DICOM header has them."""
    claims: Claims
    study: str
    milliseconds: dict[str, float]
    note: str | None = None
    """What a person should know of how the file was read."""

    def outcome(self, found: Classification, model: str, judge: Judge, classify_ms: float) -> Outcome:
        """The outcome where a version of that name has an answer, which took `classify_ms` milliseconds."""
        since_accepted = round((time.time() - self.instance.claim.accepted) * 1000, 1)
        return Outcome(
            attachment_md5=self.instance.identity,
            tries=self.instance.tries,
            note=self.note,
            model=model,
            pixel_hash=self.pixel_hash,
            header=self.header,
            study=self.study,
            stored_at=self.instance.stored_at,
            milliseconds={**self.milliseconds, "classify": round(classify_ms, 1), "total": since_accepted},
            **judge.outcome_of(found, self.claims),
        )
