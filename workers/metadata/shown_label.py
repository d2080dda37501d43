"""What `MskLabel` and the Orthanc label of an instance show: its truth, or else the outcome of labelling.

No model overwrites or hides a truth, whatever it predicts.
"""

from collections.abc import Mapping

from workers.metadata.outcome import LABEL_METADATA, TRUTH, Outcome
from workers.metadata.truth import Truth
from workers.pacs import OrthancClient

__all__ = ["may_not_show_truth", "show_label"]


def may_not_show_truth(metadata: Mapping[str, str]) -> bool:
    """Whether the labels may not show a truth or its withdrawal yet: the writer may have died before that."""
    said = Truth.standing(metadata) or Outcome.of(metadata)
    label = said.label if said else None
    # MskLabel is written last, so that the right one proves that all is shown. A missing one proves nothing.
    return Truth.of(metadata) is not None and (label is None or label != metadata.get(LABEL_METADATA))


def show_label(orthanc: OrthancClient, instance_id: str, metadata: Mapping[str, str], outcome: Outcome | None) -> None:
    """Make `MskLabel` and the Orthanc label show the truth, or else the outcome of labelling.

    Labels that are right already are not written again.

    Args:
        metadata: of the instance, as read before. A truth that was set since then is found and shown.
        outcome: the outcome of labelling; None for the one in the metadata.
    """
    while True:
        shown = Truth.standing(metadata) or outcome or Outcome.of(metadata)
        label = shown.label if shown else None
        orthanc.set_labels(instance_id, {shown.orthanc_label} if shown else set())
        if label != metadata.get(LABEL_METADATA):
            _write_label(orthanc, instance_id, label)
        # Every writer of a truth shows it afterwards and reads again, as here: the last writer sees the last truth.
        now = orthanc.metadata(instance_id)
        if now.get(TRUTH) == metadata.get(TRUTH) and now.get(LABEL_METADATA) == label:
            return
        metadata = now


def _write_label(orthanc: OrthancClient, instance_id: str, label: str | None) -> None:
    if label:
        orthanc.put_metadata(instance_id, LABEL_METADATA, label)
    else:
        orthanc.delete_metadata(instance_id, LABEL_METADATA)
