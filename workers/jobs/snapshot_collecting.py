"""Collects a snapshot: the images and truths from Orthanc that a training job uses."""

import hashlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mskmodel.data.patient_key import SiteSecret
from mskmodel.data.pixel_cache import PixelCache
from mskmodel.data.snapshot import LeftOut, Row, Snapshot, write_snapshot
from mskmodel.dicom.radiograph_kinds import BY_DEFAULT, RadiographKinds
from mskmodel.dicom.reading import read_radiograph
from mskmodel.network.preprocessing import Preprocessing
from mskmodel.radiograph import Limits, NotClassifiable
from workers.corrections.finding import Progress, truths
from workers.pacs import OrthancClient, OrthancError, OrthancNotFound, TooLarge

__all__ = ["Images", "collect_snapshot"]

#: How often an image is asked for that Orthanc does not deliver, and seconds in between.
TRIES, PAUSE_SECONDS = 3, 2.0
_DELETED = "it was deleted from Orthanc"

log = logging.getLogger(__name__)


def collect_snapshot(
    orthanc: OrthancClient,
    root: Path,
    directory: Path,
    classes: Sequence[str],
    preprocessing: Preprocessing,
    instances: Sequence[str] | None = None,
    progress: Progress = lambda step, done, total: None,  # noqa: ARG005
    kinds: RadiographKinds = BY_DEFAULT,
) -> Snapshot:
    """Write a snapshot of every instance that has a truth, or of those of `instances` that have one.

    Unusable instances are left out, with the reason; so are those that Orthanc does not deliver while it delivers
    others. After an interruption it starts again, but reuses cached pixels.

    Args:
        root: folder of the model registry, which holds the pixel cache and the site's secret for patient keys.
        directory: of the snapshot; it must not hold one yet.
        kinds: what counts as a radiograph.

    Raises:
        SnapshotError: no instance can be used.
        SiteSecretError: the site's secret cannot be read.
        OrthancError: Orthanc does not answer or refuses the request; try again.
        OSError: the registry cannot be written, for example because the disk is full.
    """
    secret = SiteSecret.of(root)
    said, unusable = truths(orthanc, instances, progress)
    parents = orthanc.parents_of(list(said))
    gone = {instance_id: _DELETED for instance_id in said if instance_id not in parents}
    images = Images(orthanc, PixelCache(root, preprocessing), {**unusable, **gone}, kinds)
    present = [instance_id for instance_id in said if instance_id in parents]
    images.read(present, lambda done: progress("reading images", done, len(present)))
    rows = [Row(i, md5, said[i].label, secret.patient(parents[i].patient)) for i, md5 in images.md5s.items()]
    left_out = [LeftOut(instance_id, reason) for instance_id, reason in images.unusable.items()]
    for each in left_out:
        log.info("instance-left-out instance=%s reason=%s", each.instance, each.reason)
    return write_snapshot(
        directory,
        classes,
        preprocessing,
        rows,
        left_out,
        images.cache,
        lambda done: progress("writing", done, len(rows)),
    )


class Images:
    """Puts images into the cache. ``md5s``: of the files of those that are there; ``unusable``: why others are not."""

    def __init__(
        self, orthanc: OrthancClient, cache: PixelCache, unusable: Mapping[str, str], kinds: RadiographKinds
    ) -> None:
        self.cache, self.unusable = cache, dict(unusable)
        self.md5s: dict[str, str] = {}
        self._orthanc, self._limits, self._kinds = orthanc, Limits(), kinds

    def read(self, instances: Sequence[str], progress: Callable[[int], None]) -> None:
        """Read them all. One that Orthanc delivers at no try, while it delivers others, is unusable too.

        Raises OrthancError if it delivers none of them, or nothing at all any more.
        """
        refused: dict[str, OrthancError] = {}
        for done, instance_id in enumerate(instances, 1):
            if error := self._refusal_of(instance_id):
                refused[instance_id] = error
            progress(done)
        for _ in range(TRIES - 1):
            if refused:
                time.sleep(PAUSE_SECONDS)
            refused = {i: error for i in refused if (error := self._refusal_of(i))}
        if refused and not self.md5s:
            raise next(iter(refused.values()))
        self.unusable |= {i: f"Orthanc does not deliver it: {error}" for i, error in refused.items()}

    def _refusal_of(self, instance_id: str) -> OrthancError | None:
        """Read one; returns why Orthanc did not deliver it although it answers otherwise. Raises OrthancError."""
        try:
            self.md5s[instance_id] = _cached(self._orthanc, instance_id, self.cache, self._limits, self._kinds)
        except OrthancNotFound:
            self.unusable[instance_id] = _DELETED
        except (NotClassifiable, TooLarge) as reason:
            self.unusable[instance_id] = str(reason)
        except MemoryError:
            self.unusable[instance_id] = "it needs more memory than there is"
        except OrthancError as error:
            self._look_around()
            return error
        return None

    def _look_around(self) -> None:
        """Raise OrthancError if Orthanc does not deliver another file either, or where there is none yet, is away."""
        if self.md5s:
            self._orthanc.file(next(iter(self.md5s)), self._limits.max_file_bytes)
        else:
            self._orthanc.statistics()


def _cached(orthanc: OrthancClient, instance_id: str, cache: PixelCache, limits: Limits, kinds: RadiographKinds) -> str:
    """Put the pixels into the cache, unless they are there already; returns the MD5 of their file."""
    md5 = orthanc.file_identity(instance_id)
    if cache.find(md5) is None:
        data = orthanc.file(instance_id, limits.max_file_bytes)
        md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()  # the file may have been replaced in between
        cache.add(md5, read_radiograph(data, limits, kinds=kinds))
    return md5
