"""The second look at a study: once no more of its instances come, each hears what its siblings show.

The first label never waits for siblings. The second look asks neither the model nor for a file: each outcome holds what
its own pixels and header say, and that alone is what its siblings hear of it, so that no echo comes back. It may change
a label once, and says so in the outcome. What a person said stands, and counts as evidence for the others.
"""

import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from mskmodel.evidence.claim import Claims
from mskmodel.evidence.combination import Sibling
from mskmodel.tables.label_cell import NONE
from workers.labelling.deciding import Judge, kinds_of, pixels_of
from workers.ledger import Ledger
from workers.metadata.outcome import LABELLED, NEEDS_REVIEW, PREDICTION, Outcome, Siblings
from workers.metadata.shown_label import show_label
from workers.metadata.truth import Truth
from workers.pacs import OrthancClient, OrthancConflict, OrthancError, OrthancNotFound, OrthancRefused

__all__ = ["MOST", "settle"]

#: Instances of a study that are looked at together. One that has more is left as it is: it is no visit for a joint.
MOST = 64
#: Studies that are leased at a time.
STUDIES = 4

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class _Member:
    """An instance of the study that has an answer of its own."""

    instance_id: str
    metadata: Mapping[str, str]
    outcome: Outcome
    sibling: Sibling

    @property
    def says(self) -> str:
        """Changes with what its siblings hear of it."""
        return f"{self.instance_id} {self.outcome.attachment_md5} {self.outcome.model} {self.sibling.truth}"


def settle(orthanc: OrthancClient, ledger: Ledger, version: str, judge: Judge, may_go_on: Callable[[], bool]) -> int:
    """Look at studies that have settled, until none is left or something else has to be done; returns how many.

    Args:
        version: of the model; outcomes of others are left to it, which will label their instances again.
    """
    count = 0
    while may_go_on() and (taken := ledger.take_settled(STUDIES)):
        for study, lease in taken:
            if not may_go_on():
                break  # the leases run out
            if _is_done(orthanc, ledger, study, version, judge):
                ledger.forget_study(study, lease)
                count += 1
    return count


def _is_done(orthanc: OrthancClient, ledger: Ledger, study: str, version: str, judge: Judge) -> bool:
    """Look at a study; whether this need not be done again before another of its instances is labelled."""
    try:
        return judge.pixels_alone or _settle(orthanc, ledger, study, version, judge)
    except OrthancError as error:
        log.warning("study-not-looked-at study=%s reason=%s", study, error)
        return isinstance(error, OrthancNotFound | OrthancRefused)


def _settle(orthanc: OrthancClient, ledger: Ledger, study: str, version: str, judge: Judge) -> bool:
    found = orthanc.study_metadata(study, MOST)
    if found is None:
        log.info("study-not-looked-at study=%s reason=more than %d instances", study, MOST)
        return True
    if any(not entry.failed for entry in ledger.entries(found).values()):
        return False  # what is being labelled will have something to say
    members = [each for i, metadata in found.items() if (each := _member(i, metadata, version, judge.classes))]
    revision = hashlib.sha256("\n".join(sorted(each.says for each in members)).encode()).hexdigest()[:16]
    for each in members:
        others = [one.sibling for one in members if one is not each]
        if others and _is_open(each.outcome, revision):
            _write(orthanc, each, _heard(each, others, revision, judge))
    return True


def _member(instance_id: str, metadata: Mapping[str, str], version: str, classes: tuple[str, ...]) -> _Member | None:
    outcome = Outcome.of(metadata)
    if outcome is None or outcome.status not in (LABELLED, NEEDS_REVIEW) or outcome.model != version:
        return None
    truth = Truth.standing(metadata)
    try:
        pixels, claims = pixels_of(outcome.pixels, classes), Claims.from_json(outcome.claims)
        kinds = kinds_of(outcome.kinds)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None  # of a schema without them, or none that could be used
    said = (truth.label or NONE) if truth else ""
    return _Member(instance_id, metadata, outcome, Sibling(classes, pixels, claims, said, kinds))


def _is_open(outcome: Outcome, revision: str) -> bool:
    """Whether siblings may still say something: others than before, and they never changed the label."""
    return outcome.siblings is None or not (outcome.siblings.moved or outcome.siblings.revision == revision)


def _heard(member: _Member, others: list[Sibling], revision: str, judge: Judge) -> Outcome:
    old = member.outcome
    own = judge.by_pixels(old.pixels, member.sibling.kinds)
    found = replace(old, **judge.outcome_of(own, member.sibling.claims, others))
    moved = found.label != old.label
    return replace(found, siblings=Siblings(revision, len(others), moved, old.label if moved else None))


def _write(orthanc: OrthancClient, member: _Member, outcome: Outcome) -> None:
    """Show the label of the new outcome and put it in place of the old one: last, so that a death leaves it to be done.

    An outcome that somebody else wrote meanwhile stands.
    """
    instance_id, before = member.instance_id, member.metadata[PREDICTION]
    try:
        show_label(orthanc, instance_id, member.metadata, outcome)
        orthanc.replace_metadata(instance_id, PREDICTION, before, outcome.to_json())
        if outcome.label != member.outcome.label:
            log.info("label-moved instance=%s from=%s to=%s", instance_id, member.outcome.label, outcome.label)
    except OrthancConflict:
        show_label(orthanc, instance_id, orthanc.metadata(instance_id), None)
    except OrthancNotFound:
        log.info("instance-deleted instance=%s", instance_id)
