"""From an instance in Orthanc to the input of the network: fetch, guard, decode, preprocess."""

import logging
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from billiard.exceptions import SoftTimeLimitExceeded

from mskmodel.dicom.radiograph_kinds import RadiographKinds
from mskmodel.dicom.reading import read_radiograph
from mskmodel.evidence.claim import claims_of
from mskmodel.radiograph import Limits, NotClassifiable, Radiograph, Undecodable
from mskmodel.registry.classifier import Classifier
from workers.labelling.blame import Step, expect_file, step
from workers.labelling.instance import Instance, Prepared
from workers.labelling.pixel_hash import pixel_hash
from workers.labelling.site import Site
from workers.pacs import OrthancClient, study_of

__all__ = ["prepare"]

log = logging.getLogger(__name__)


def prepare(orthanc: OrthancClient, classifier: Classifier, limits: Limits, site: Site, instance: Instance) -> Prepared:
    """Make the instance ready for the model.

    Raises:
        StepFailed, InstanceDeleted: Orthanc does not deliver the file.
        NotClassifiable, TooLarge, MemoryError: it delivers one that cannot be classified.
    """
    instance_id, milliseconds = instance.claim.instance_id, {}
    _check_kind(orthanc, site.kinds, instance)
    started = time.perf_counter()
    with step(Step.FETCH, orthanc, instance_id):
        data = orthanc.file(instance_id, limits.max_file_bytes)
    milliseconds["fetch"] = _milliseconds_since(started)
    try:
        with _expecting_anything(instance_id):
            started = time.perf_counter()
            # What Orthanc knows counts for a file that does not say it itself.
            radiograph = read_radiograph(data, limits, instance.metadata.get("TransferSyntax", ""), site.kinds)
            milliseconds["decode"] = _milliseconds_since(started)
            started = time.perf_counter()
            hashed = pixel_hash(radiograph)
            milliseconds["hash"] = _milliseconds_since(started)
            started = time.perf_counter()
            pixels = classifier.prepare(radiograph)
            milliseconds["prepare"] = _milliseconds_since(started)
    except NotClassifiable:
        with step(Step.FETCH, orthanc, instance_id):
            expect_file(data, instance.identity)  # else what failed is the delivery, by a proxy's page for example
        raise
    if radiograph.note:
        log.warning("instance-read-with-note instance=%s note=%s", instance_id, radiograph.note)
    study = study_of(instance_id, radiograph.keys)
    if study is None:
        with step(Step.LOOK_UP, orthanc, instance_id):
            study = orthanc.study_of(instance_id)
    claims = claims_of(radiograph.texts, site.secret)
    note = radiograph.note or None
    return Prepared(instance, pixels, hashed, _header(radiograph), claims, study, milliseconds, note)


def _check_kind(orthanc: OrthancClient, kinds: RadiographKinds, instance: Instance) -> None:
    """Raise NotClassifiable for what is no radiograph by what Orthanc knows: its file is not fetched.

    The modality, which takes another request, tells apart what comes as Secondary Capture: much of it is ultrasound,
    and a file of 100 MB takes 300 times as long.
    """
    sop_class = instance.metadata.get("SopClassUid", "")
    kinds.check(sop_class, None)
    if kinds.depends_on_modality(sop_class):
        with step(Step.LOOK_UP, orthanc, instance.claim.instance_id):
            modality = orthanc.modality(instance.claim.instance_id)
        kinds.check(sop_class, modality)


@contextmanager
def _expecting_anything(instance_id: str) -> Iterator[None]:
    """Turn an error that nobody expected into Undecodable: it concerns this file only."""
    try:
        yield
    except (NotClassifiable, MemoryError, SoftTimeLimitExceeded):
        raise
    except Exception as error:  # noqa: BLE001 - a file from outside may lead into any corner of a decoder
        # Without its message, which may quote what is in the file.
        where = "".join(traceback.format_tb(error.__traceback__))
        log.error("instance-not-read instance=%s error=%s\n%s", instance_id, type(error).__name__, where)
        raise Undecodable(f"reading it ended in an unexpected error ({type(error).__name__})") from None


def _header(radiograph: Radiograph) -> dict[str, str]:
    return {
        "body_part": radiograph.body_part,
        "view_position": radiograph.view_position,
        "laterality": radiograph.laterality,
    }


def _milliseconds_since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 1)
