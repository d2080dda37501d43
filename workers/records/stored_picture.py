"""What the pixels of a stored instance hash to, as the label worker that read them says."""

from collections.abc import Mapping

from workers.metadata.outcome import Outcome
from workers.pacs import OrthancClient
from workers.records.row import is_pixel_hash

__all__ = ["stored_hash"]


def stored_hash(orthanc: OrthancClient, instance_id: str, metadata: Mapping[str, str]) -> str:
    """The hash in the outcome of labelling; "" where there is none, or the outcome is about another file.

    Raises OrthancError, OrthancNotFound if the instance is gone.
    """
    outcome = Outcome.of(metadata)
    if outcome is None or not is_pixel_hash(outcome.pixel_hash):
        return ""
    # A worker that read the file before it was overwritten may have written its outcome afterwards.
    return outcome.pixel_hash if orthanc.file_identity(instance_id) == outcome.attachment_md5 else ""
