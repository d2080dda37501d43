"""Labelling: what one run of the label task does to the instances that it claims.

Fetch, guard, decode, preprocess, classify together, write back. Each instance gets a status of its
own, and an error with one of them does not affect the others.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import UID

from mskmodel.dicom.reading import RADIOGRAPH_SOP_CLASSES, read_radiograph
from mskmodel.radiograph import Limits, Radiograph, Skipped, Undecodable
from mskmodel.registry.classifier import Classifier
from mskmodel.registry.decision import Classification
from workers.labelling.header_check import disagrees
from workers.ledger import Claim, Ledger
from workers.metadata.outcome import FAILED, LABELLED, NEEDS_REVIEW, PREDICTION, SKIPPED, Outcome
from workers.metadata.shown_label import show_label
from workers.pacs import OrthancClient, OrthancError, OrthancNotFound, TooLarge

__all__ = ["MAX_TRIES", "Labeller"]

#: Attempts that may end with the worker dead or stuck before the instance counts as failed.
MAX_TRIES = 3

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Instance:
    """A claimed instance as Orthanc holds it."""

    claim: Claim
    tries: int
    md5: str
    metadata: dict[str, str]

    def outcome(self, status: str, reason: str) -> Outcome:
        return Outcome(status, self.md5, self.tries, reason=reason, stored_at=self.stored_at)

    @property
    def stored_at(self) -> str | None:
        """When Orthanc received it, ISO 8601; Orthanc's own time is in UTC, but has no time zone."""
        received = self.metadata.get("ReceptionDate")
        return datetime.fromisoformat(received).replace(tzinfo=UTC).isoformat() if received else None


@dataclass(frozen=True)
class _Prepared:
    """An instance that is ready for the model, and the time of each step so far."""

    instance: _Instance
    pixels: NDArray[np.float32]
    header: dict[str, str]
    milliseconds: dict[str, float]


class Labeller:
    """Labels instances with one version of the model and one Orthanc client."""

    def __init__(self, orthanc: OrthancClient, ledger: Ledger, classifier: Classifier) -> None:
        self._orthanc, self._ledger, self._classifier = orthanc, ledger, classifier
        self._limits = Limits()

    def label(self, owner: str, instance_ids: Sequence[str], queue: str, chunk: int) -> int:
        """Label the named instances, and others that wait, at most `chunk` in all.

        Args:
            owner: identifier of this run, the same after a redelivery.

        Returns:
            How many instances were worked on.

        Raises:
            OrthancError: Orthanc does not answer or refuses a request; unfinished instances wait in the ledger.
        """
        claims = self._ledger.claim(owner, queue, instance_ids, chunk)
        # An instance on which a run has died or hung is labelled alone, so that it cannot stop others again.
        fresh = [claim for claim in claims if claim.attempts == 0]
        suspects = [claim for claim in claims if claim.attempts > 0]
        try:
            for group in (fresh, *([suspect] for suspect in suspects)):
                self._label_together(owner, group)
        except OrthancError:
            self._ledger.release(owner, delay=1, blameless=True)
            raise
        finally:
            # After an unexpected error or a time limit: whatever the run still holds.
            self._ledger.release(owner, delay=1, blameless=False)
        return len(claims)

    def _label_together(self, owner: str, claims: Sequence[Claim]) -> None:
        prepared = [ready for claim in claims if (ready := self._prepare(owner, claim))]
        if not prepared:
            return
        started = time.perf_counter()
        classifications = self._classifier.classify([ready.pixels for ready in prepared])
        each = _milliseconds_since(started) / len(prepared)
        for ready, classification in zip(prepared, classifications, strict=True):
            self._finish(owner, ready.instance, self._outcome(ready, classification, each))

    def _prepare(self, owner: str, claim: Claim) -> _Prepared | None:
        """Make an instance ready for the model; None if it has been closed without the model."""
        tries = self._ledger.begin(owner, claim.instance_id)
        if tries == 0:
            return None
        try:
            instance = self._look_up(claim, tries)
        except OrthancNotFound:
            self._ledger.close(owner, claim.instance_id)  # deleted meanwhile
            return None
        if _is_covered(instance, self._classifier.version):
            self._ledger.close(owner, claim.instance_id)
            return None
        if tries > MAX_TRIES:
            reason = f"the worker died or got stuck on it {MAX_TRIES} times"
            given_up = replace(instance, tries=MAX_TRIES)  # this attempt is not made
            self._finish(owner, given_up, given_up.outcome(FAILED, reason))
            return None
        try:
            return self._fetch_and_decode(instance)
        except OrthancNotFound:
            self._ledger.close(owner, claim.instance_id)
        except (Skipped, TooLarge) as skipped:
            self._finish(owner, instance, instance.outcome(SKIPPED, str(skipped)))
        except Undecodable as failure:
            self._finish(owner, instance, instance.outcome(FAILED, str(failure)))
        except MemoryError:
            self._finish(owner, instance, instance.outcome(FAILED, "it needs more memory than there is"))
        return None

    def _look_up(self, claim: Claim, tries: int) -> _Instance:
        md5 = self._orthanc.attachment_md5(claim.instance_id)  # read before the file, which may change in between
        return _Instance(claim, tries, md5, self._orthanc.metadata(claim.instance_id))

    def _fetch_and_decode(self, instance: _Instance) -> _Prepared:
        sop_class = instance.metadata.get("SopClassUid", "")
        if sop_class and sop_class not in RADIOGRAPH_SOP_CLASSES:
            raise Skipped(f"not a radiograph: {UID(sop_class).name}")
        milliseconds: dict[str, float] = {}
        started = time.perf_counter()
        data = self._orthanc.file(instance.claim.instance_id, self._limits.max_file_bytes)
        milliseconds["fetch"] = _milliseconds_since(started)
        started = time.perf_counter()
        radiograph = read_radiograph(data, self._limits)
        milliseconds["decode"] = _milliseconds_since(started)
        started = time.perf_counter()
        pixels = self._classifier.prepare(radiograph)
        milliseconds["prepare"] = _milliseconds_since(started)
        return _Prepared(instance, pixels, _header(radiograph), milliseconds)

    def _outcome(self, ready: _Prepared, found: Classification, classify_ms: float) -> Outcome:
        since_accepted = round((time.time() - ready.instance.claim.accepted) * 1000, 1)
        return Outcome(
            status=LABELLED if found.label else NEEDS_REVIEW,
            attachment_md5=ready.instance.md5,
            tries=ready.instance.tries,
            label=found.label,
            confidence=round(found.confidence, 4),
            top5=tuple((key, round(probability, 4)) for key, probability in found.top5),
            reason=found.reason,
            model=self._classifier.version,
            header=ready.header,
            header_disagrees=disagrees(found.label, ready.header["body_part"], ready.header["view_position"])
            if found.label
            else None,
            stored_at=ready.instance.stored_at,
            milliseconds={**ready.milliseconds, "classify": round(classify_ms, 1), "total": since_accepted},
        )

    def _finish(self, owner: str, instance: _Instance, outcome: Outcome) -> None:
        """Write the outcome back, `MskPrediction` last: from then on the instance is accounted for."""
        instance_id = instance.claim.instance_id
        try:
            show_label(self._orthanc, instance_id, instance.metadata, outcome)
            self._orthanc.put_metadata(instance_id, PREDICTION, outcome.to_json())
        except OrthancNotFound:
            log.info("instance-deleted instance=%s", instance_id)
        else:
            log.info(
                "instance-done instance=%s status=%s label=%s confidence=%s tries=%d ms=%s",
                instance_id,
                outcome.status,
                outcome.label,
                outcome.confidence,
                outcome.tries,
                outcome.milliseconds.get("total"),
            )
        self._ledger.close(owner, instance_id)


def _milliseconds_since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 1)


def _header(radiograph: Radiograph) -> dict[str, str]:
    return {
        "body_part": radiograph.body_part,
        "view_position": radiograph.view_position,
        "laterality": radiograph.laterality,
    }


def _is_covered(instance: _Instance, model: str) -> bool:
    """Whether the instance already has an outcome for this file and this model."""
    outcome = Outcome.of(instance.metadata)
    return outcome is not None and outcome.covers(instance.md5, model)
