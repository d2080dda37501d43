"""Setting and withdrawing a truth: what was said before is kept, and nobody's word is overwritten unseen."""

from collections.abc import Collection, Mapping
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
)
from workers.pacs import OrthancClient, OrthancConflict, OrthancNotFound

__all__ = ["get_truth", "set_truth", "withdraw_truth"]


def get_truth(orthanc: OrthancClient, instance_id: str) -> Truth | None:
    """What people said of an instance, None where nobody did. Raises UnknownInstance, OrthancError."""
    try:
        return Truth.of(orthanc.metadata(instance_id))
    except OrthancNotFound:
        raise UnknownInstance("Orthanc holds no such instance") from None


def set_truth(
    orthanc: OrthancClient, instance_id: str, label: str | None, author: str, classes: Collection[str]
) -> Truth:
    """Write what a person says, keep what was said before, and show it; the truth as it is afterwards.

    The same word of the same author again adds nothing to the history.

    Args:
        label: one of `classes`; None or "" for none of them.

    Raises:
        BadTruth: the label is not among the classes, or the author has no name.
        UnknownInstance: Orthanc holds no such instance.
        TruthConflict: another truth came in between; look at that one first.
        OrthancError: Orthanc is away or turns us down. Setting it again does no harm.
    """
    label = checked_label(label, classes)
    return _say(orthanc, instance_id, Statement(label, checked_author(author), _now()))


def withdraw_truth(orthanc: OrthancClient, instance_id: str, author: str) -> Truth:
    """Take back what people said, keep that they did, and show what the model says; the truth as it is afterwards.

    Raises as `set_truth`, and:
        NoTruth: nobody has said anything.
    """
    return _say(orthanc, instance_id, Statement(None, checked_author(author), _now(), withdrawn=True))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _say(orthanc: OrthancClient, instance_id: str, said: Statement) -> Truth:
    try:
        metadata = orthanc.metadata(instance_id)
        truth = _written(orthanc, instance_id, metadata, said)
        show_label(orthanc, instance_id, metadata | {TRUTH: truth.to_json()}, None)
    except OrthancNotFound:
        raise UnknownInstance("Orthanc holds no such instance") from None
    return truth


def _written(orthanc: OrthancClient, instance_id: str, metadata: Mapping[str, str], said: Statement) -> Truth:
    before = Truth.of(metadata)
    if before is None and TRUTH in metadata:
        raise TruthConflict(
            f"{TRUTH} of instance {instance_id} was written by something else and cannot be read; "
            "delete it in Orthanc if nobody needs it"
        )
    if before is None and said.withdrawn:
        raise NoTruth("nobody has said what the instance shows")
    if before and replace(before.now, time=said.time) == said:
        return before
    truth = before.followed_by(said) if before else Truth(said)
    try:
        orthanc.replace_metadata(instance_id, TRUTH, metadata.get(TRUTH), truth.to_json())
    except OrthancConflict:
        raise TruthConflict(
            f"somebody else said at the same moment what instance {instance_id} shows; look, then set it again"
        ) from None
    return truth
