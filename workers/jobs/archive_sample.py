"""A sample of what a site stores: images that nobody has said anything of, to find an operating point by."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mskmodel.data.dataset import STORED, Pictures
from mskmodel.data.pixel_cache import PixelCache
from mskmodel.dicom.radiograph_kinds import RadiographKinds
from mskmodel.network.preprocessing import Picture, Preprocessing
from workers.corrections.finding import Progress
from workers.jobs.snapshot_collecting import Images
from workers.metadata.outcome import LABELLED, NEEDS_REVIEW, TRUTH, Outcome
from workers.pacs import OrthancClient

__all__ = ["archive_sample"]

#: Images in a sample, at most.
SAMPLE = 300
#: Instances asked for at a time: few, as those stored one after the other are alike. So many pages are looked at.
_PAGE, _PAGES = 10, 400


def archive_sample(
    orthanc: OrthancClient,
    root: Path,
    path: Path,
    preprocessing: Preprocessing,
    seed: int,
    progress: Progress,
    kinds: RadiographKinds,
) -> Pictures:
    """At most ``SAMPLE`` pictures, kept in the file ``path`` and read from there the next time; their labels are 0.

    They are drawn from the instances that a model has answered and that have no truth. Those that cannot be read are
    left out. ``root``: the registry's folder, which holds the pixel cache. Raises OrthancError, OSError.
    """
    if path.exists():
        return Pictures.load(path)
    chosen = []
    for instance_id in _without_truth(orthanc, np.random.default_rng(seed)):
        chosen.append(instance_id)
        progress("looking at the archive", len(chosen), SAMPLE)
        if len(chosen) == SAMPLE:
            break
    images = Images(orthanc, PixelCache(root, preprocessing), {}, kinds)
    images.read(chosen, lambda done: progress("reading the archive", done, len(chosen)))
    found = [values for md5 in images.md5s.values() if (values := images.cache.find(md5)) is not None]
    pictures = Pictures.framed([Picture.padded(values, STORED) for values in found], [None] * len(found), ())
    pictures.save(path)
    return pictures


def _without_truth(orthanc: OrthancClient, random: np.random.Generator) -> Iterator[str]:
    """Instances that a model has answered and nobody else, page by page in random order."""
    pages = -(-orthanc.statistics().instances // _PAGE)
    for page in random.permutation(pages)[:_PAGES].tolist():
        for instance_id, metadata in orthanc.metadata_page(page * _PAGE, _PAGE).items():
            outcome = None if TRUTH in metadata else Outcome.of(metadata)
            if outcome and outcome.status in (LABELLED, NEEDS_REVIEW):
                yield instance_id
