"""What `MskLabel` and the Orthanc label of an instance say: its truth, and where none stands, the outcome of labelling.

No model overwrites or hides a truth, whatever it predicts.
"""

from collections.abc import Mapping

from workers.metadata.outcome import LABEL_METADATA, TRUTH, Outcome
from workers.metadata.truth import Truth
from workers.pacs import OrthancClient

__all__ = ["may_be_hidden", "show_label"]


def may_be_hidden(metadata: Mapping[str, str]) -> bool:
    """Whether an instance has a truth that its labels may not say: who wrote it may have died before it showed it."""
    said = Truth.standing(metadata) or Outcome.of(metadata)
    label = said.label if said else None
    # MskLabel comes last, and says all; but where there is none, it may also be that the model abstained.
    return Truth.of(metadata) is not None and (label is None or label != metadata.get(LABEL_METADATA))


def show_label(orthanc: OrthancClient, instance_id: str, metadata: Mapping[str, str], outcome: Outcome | None) -> None:
    """Make `MskLabel` and the Orthanc label say the truth; where none stands, the outcome of labelling.

    What says so already is not written again.

    Args:
        metadata: of the instance, as it was read. A truth that has come since then is found and shown.
        outcome: None for the one in the metadata.
    """
    while True:
        shown = Truth.standing(metadata) or outcome or Outcome.of(metadata)
        label = shown.label if shown else None
        orthanc.set_labels(instance_id, {shown.orthanc_label} if shown else set())
        if label != metadata.get(LABEL_METADATA):
            _write_label(orthanc, instance_id, label)
        # Who writes a truth shows it afterwards, and so do we: whoever comes last has seen the last one.
        now = orthanc.metadata(instance_id)
        if now.get(TRUTH) == metadata.get(TRUTH) and now.get(LABEL_METADATA) == label:
            return
        metadata = now


def _write_label(orthanc: OrthancClient, instance_id: str, label: str | None) -> None:
    if label:
        orthanc.put_metadata(instance_id, LABEL_METADATA, label)
    else:
        orthanc.delete_metadata(instance_id, LABEL_METADATA)
