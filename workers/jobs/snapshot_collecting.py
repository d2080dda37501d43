"""Collects a snapshot: the images and truths from Orthanc that a training job uses."""

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path

from mskmodel.data.patient_key import SiteSecret
from mskmodel.data.pixel_cache import PixelCache
from mskmodel.data.snapshot import LeftOut, Row, Snapshot, write_snapshot
from mskmodel.dicom.reading import read_radiograph
from mskmodel.network.preprocessing import Preprocessing
from mskmodel.radiograph import Limits, NotClassifiable
from workers.corrections.finding import Progress, truths
from workers.pacs import OrthancClient, OrthancNotFound, TooLarge

__all__ = ["collect_snapshot"]

log = logging.getLogger(__name__)


def collect_snapshot(
    orthanc: OrthancClient,
    root: Path,
    directory: Path,
    classes: Sequence[str],
    preprocessing: Preprocessing,
    instances: Sequence[str] | None = None,
    progress: Progress = lambda step, done, total: None,  # noqa: ARG005
) -> Snapshot:
    """Write a snapshot of every instance that has a truth, or of those of `instances` that have one.

    Unusable instances are left out, with the reason. After an interruption it starts again, but reuses cached pixels.

    Args:
        root: folder of the model registry, which holds the pixel cache and the site's secret for patient keys.
        directory: of the snapshot; it must not hold one yet.

    Raises:
        SnapshotError: no instance can be used.
        SiteSecretError: the site's secret cannot be read.
        OrthancError: Orthanc does not answer or refuses the request; try again.
        OSError: the registry cannot be written, for example because the disk is full.
    """
    secret, cache, limits = SiteSecret.of(root), PixelCache(root, preprocessing), Limits()
    said, unusable = truths(orthanc, instances, progress)
    left_out = [LeftOut(instance_id, reason) for instance_id, reason in unusable.items()]
    parents = orthanc.parents_of(list(said))
    rows = []
    for done, (instance_id, truth) in enumerate(said.items(), 1):
        try:
            if instance_id not in parents:
                raise OrthancNotFound("deleted")
            md5 = _cached(orthanc, instance_id, cache, limits)
        except OrthancNotFound:
            left_out.append(LeftOut(instance_id, "it was deleted from Orthanc"))
        except (NotClassifiable, TooLarge) as reason:
            left_out.append(LeftOut(instance_id, str(reason)))
        except MemoryError:
            left_out.append(LeftOut(instance_id, "it needs more memory than there is"))
        else:
            rows.append(Row(instance_id, md5, truth.label, secret.patient(parents[instance_id].patient)))
        progress("reading images", done, len(said))
    for each in left_out:
        log.info("instance-left-out instance=%s reason=%s", each.instance, each.reason)
    return write_snapshot(
        directory, classes, preprocessing, rows, left_out, cache, lambda done: progress("writing", done, len(rows))
    )


def _cached(orthanc: OrthancClient, instance_id: str, cache: PixelCache, limits: Limits) -> str:
    """Put the pixels into the cache, unless they are there already; returns the MD5 of their file."""
    md5 = orthanc.file_identity(instance_id)
    if cache.find(md5) is None:
        data = orthanc.file(instance_id, limits.max_file_bytes)
        md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()  # the file may have been replaced in between
        cache.add(md5, read_radiograph(data, limits))
    return md5
