"""Sets and withdraws truths: earlier statements are kept, and no concurrent write gets lost."""

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime

from workers.metadata.outcome import TRUTH
from workers.metadata.shown_label import show_label
from workers.metadata.truth import (
    NoTruth,
    Statement,
    Truth,
    TruthConflict,
    UnknownInstance,
    checked_author,
    checked_label,
    checked_side,
)
from workers.pacs import OrthancClient, OrthancConflict, OrthancNotFound

__all__ = ["Journal", "get_truth", "no_journal", "set_truth", "withdraw_truth"]

#: Called with the instance, the truth that stands and the one that shall; Orthanc is written to in its context.
Journal = Callable[[str, Truth | None, Truth], AbstractContextManager[None]]


def no_journal(*_: object) -> AbstractContextManager[None]:
    """Of a site that keeps no journal."""
    return nullcontext()


def get_truth(orthanc: OrthancClient, instance_id: str) -> Truth | None:
    """The truth of an instance, None if there is none. Raises UnknownInstance, OrthancError."""
    try:
        return Truth.of(orthanc.metadata(instance_id))
    except OrthancNotFound:
        raise UnknownInstance("Orthanc holds no such instance") from None


def set_truth(
    orthanc: OrthancClient,
    instance_id: str,
    label: str | None,
    author: str,
    classes: Collection[str],
    journal: Journal = no_journal,
    seen: str | None = None,
    side: str | None = None,
) -> Truth:
    """Set the truth of an instance, keep what was said before, and show it; returns the new truth.

    Idempotent: the same label by the same author again adds nothing to the history.

    Args:
        label: one of `classes`; None or "" for none of them.
        journal: keeps what is said before Orthanc does. What it raises is passed on, and nothing is written.
        seen: time of the truth that the person has seen, "" for none; None where it does not matter.
        side: of the body, R, L or B, "" for none said; None leaves what was said of it.

    Raises:
        BadTruth: the label is not among the classes, or the author's name or the side is not valid.
        UnknownInstance: Orthanc holds no such instance.
        TruthConflict: somebody else set the truth at the same moment, or another one stands than was seen.
        OrthancError: Orthanc does not answer or refuses a request; the truth may be set again.
    """
    label = checked_label(label, classes)
    said = Statement(label, checked_author(author), _now(), side=checked_side(side or ""))
    return _say(orthanc, instance_id, said, journal, seen, keep_side=side is None)


def withdraw_truth(
    orthanc: OrthancClient, instance_id: str, author: str, journal: Journal = no_journal, seen: str | None = None
) -> Truth:
    """Withdraw the truth of an instance, keep the history, and show the model's label; returns the new truth.

    Raises as `set_truth`, and:
        NoTruth: there is no truth to withdraw.
    """
    return _say(orthanc, instance_id, Statement(None, checked_author(author), _now(), withdrawn=True), journal, seen)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _say(
    orthanc: OrthancClient,
    instance_id: str,
    said: Statement,
    journal: Journal,
    seen: str | None,
    *,
    keep_side: bool = False,
) -> Truth:
    try:
        metadata = orthanc.metadata(instance_id)
        if keep_side and (before := Truth.of(metadata)):
            said = replace(said, side=before.side)
        truth = _written(orthanc, instance_id, metadata, said, journal, seen)
        show_label(orthanc, instance_id, metadata | {TRUTH: truth.to_json()}, None)
    except OrthancNotFound:
        raise UnknownInstance("Orthanc holds no such instance") from None
    return truth


def _written(
    orthanc: OrthancClient,
    instance_id: str,
    metadata: Mapping[str, str],
    said: Statement,
    journal: Journal,
    seen: str | None,
) -> Truth:
    before = Truth.of(metadata)
    if before is None and TRUTH in metadata:
        raise TruthConflict(
            f"{TRUTH} of instance {instance_id} was written by other software and cannot be read; "
            "delete it in Orthanc if nobody needs it"
        )
    if before is None and said.withdrawn:
        raise NoTruth("nobody has said what the instance shows")
    if before and replace(before.now, time=said.time, origin="") == said:
        return before
    if seen is not None and seen != _time_of(before):
        raise TruthConflict("somebody else said what the instance shows, or withdrew it, since you looked")
    truth = before.followed_by(said) if before else Truth(said)
    try:
        with journal(instance_id, before, truth):
            orthanc.replace_metadata(instance_id, TRUTH, metadata.get(TRUTH), truth.to_json())
    except OrthancConflict:
        raise TruthConflict(
            f"somebody else set the truth of instance {instance_id} at the same moment; look at it, then try again"
        ) from None
    return truth


def _time_of(truth: Truth | None) -> str:
    """When what stands was said; "" where nothing does."""
    return "" if truth is None or truth.now.withdrawn else truth.time
