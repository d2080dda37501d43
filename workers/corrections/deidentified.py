"""De-identified folders: images with their truths, exported for training elsewhere or for another Orthanc.

Orthanc anonymizes the headers (PS3.15, basic profile) and removes overlays. Identifiers are replaced by ones that only
this site can compute, the same every time, so that the images of a patient stay together. Pixels are unchanged.
"""

import hashlib
import warnings
from collections.abc import Callable, Collection, Sequence
from io import BytesIO
from pathlib import Path

from pydicom import dcmread

from mskmodel.data.labels_file import file_named
from mskmodel.data.patient_key import SiteSecret, is_held_out
from mskmodel.data.snapshot import LeftOut
from mskmodel.dicom.radiograph_kinds import BY_DEFAULT, RadiographKinds
from mskmodel.dicom.reading import read_radiograph
from mskmodel.dicom.scan import is_dicom
from mskmodel.radiograph import Limits, NotClassifiable, Skipped
from mskmodel.tables.label_cell import NONE
from mskmodel.tables.problems import Problem
from mskmodel.tables.table import write_table
from workers.corrections.csv_table import Row
from workers.corrections.finding import Progress, truths
from workers.corrections.importing import Assignment, without_repeats
from workers.metadata.truth import TruthError, checked_label
from workers.pacs import OrthancClient, OrthancNotFound, OrthancRefused, Parents

__all__ = ["TABLE", "FolderError", "check_files", "export_folder"]

#: The folder's table of truths; written last, so that a folder with a table is complete.
TABLE = "truth.csv"
COLUMNS = ("file", "label", "patient", "held_out")
#: Overlay data and comments, which the basic profile removes and Orthanc does not.
_OVERLAYS = tuple(f"60{group:02x}-{element}" for group in range(0, 32, 2) for element in ("3000", "4000"))


class FolderError(TruthError):
    """A folder cannot be written, or there is nothing to export."""


def export_folder(
    orthanc: OrthancClient, root: Path, folder: Path, progress: Progress, kinds: RadiographKinds = BY_DEFAULT
) -> tuple[int, list[LeftOut]]:
    """Write every image that has a truth, and `TABLE`; returns their number, and what was left out and why.

    Args:
        root: folder of the model registry, which holds the site's secret.
        folder: new or empty. Images become ``<patient>/<image>.dcm`` in it.
        kinds: what counts as a radiograph.

    Raises:
        FolderError: the folder is not empty, or no image could be written.
        OrthancError, OSError, SiteSecretError: passed on; the folder then has no `TABLE`.
    """
    secret = SiteSecret.of(root)
    folder.mkdir(parents=True, exist_ok=True)
    if next(folder.iterdir(), None):
        raise FolderError(f"{folder} is not empty; name a new folder")
    said, unusable = truths(orthanc, None, progress)
    left_out = [LeftOut(instance_id, reason) for instance_id, reason in unusable.items()]
    parents = orthanc.parents_of(list(said))
    rows = []
    for done, (instance_id, truth) in enumerate(said.items(), 1):
        try:
            above = parents[instance_id]
            data = _deidentified(orthanc, secret, instance_id, above, kinds)
        except (KeyError, OrthancNotFound):
            left_out.append(LeftOut(instance_id, "it was deleted from Orthanc"))
        except (NotClassifiable, OrthancRefused) as reason:
            left_out.append(LeftOut(instance_id, str(reason)))
        else:
            patient = secret.patient(above.patient)
            name = f"{patient}/{secret.digest('file', instance_id).hex()[:16]}.dcm"
            (folder / patient).mkdir(exist_ok=True)
            (folder / name).write_bytes(data)
            rows.append((name, truth.label or NONE, patient, str(is_held_out(patient)).lower()))
        progress("writing images", done, len(said))
    if not rows:
        raise FolderError("nothing to export: no instance has a truth and readable pixels")
    write_table(folder / TABLE, COLUMNS, sorted(rows))
    return len(rows), left_out


def _deidentified(
    orthanc: OrthancClient, secret: SiteSecret, instance_id: str, above: Parents, kinds: RadiographKinds
) -> bytes:
    """The de-identified file. Raises NotClassifiable if it cannot be trained on, or may show a name."""
    patient = secret.patient(above.patient)
    replace = {
        "PatientID": patient,
        "PatientName": patient,
        "StudyInstanceUID": secret.uid("study", above.study),
        "SeriesInstanceUID": secret.uid("series", above.series),
        "SOPInstanceUID": secret.uid("instance", instance_id),
    }
    data = orthanc.anonymized(instance_id, replace, _OVERLAYS)
    read_radiograph(data, Limits(), kinds=kinds)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they are in the file's own words, such as a character set that nobody knows
        burned_in = dcmread(BytesIO(data), stop_before_pixels=True).get("BurnedInAnnotation", "NO")
    if burned_in == "YES":
        raise Skipped("its header says that a name may be burned into the picture (Burned In Annotation)")
    return data


def check_files(
    folder: Path, rows: Sequence[Row], classes: Collection[str], progress: Callable[[int], None]
) -> tuple[list[Assignment], list[Problem]]:
    """Rows that can be imported, and the problems of the others; checked before anything is stored or written.

    Files with the same content are one image, whatever they are called.
    """
    assignments, problems = [], []
    contents: dict[str | Path, str] = {}
    for done, row in enumerate(rows, 1):
        try:
            path, label = _file(folder, row.name), checked_label(row.label, classes)
            contents[path] = _digest(path)
            assignments.append(Assignment(row.line, path, label))
        except (TruthError, NotClassifiable) as error:
            problems.append(Problem(row.line, str(error)))
        except OSError as error:
            problems.append(Problem(row.line, f"the file cannot be read: {error.strerror}"))
        progress(done)
    return without_repeats(assignments, problems, lambda each: contents[each.image])


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _file(folder: Path, name: str) -> Path:
    """Path of a DICOM file in the folder. Raises Skipped or OSError."""
    path = file_named(folder, name)
    if not path.is_relative_to(folder) or ".." in path.relative_to(folder).parts:
        raise Skipped("the file is not in the folder")
    if path.exists() and not path.is_file():
        raise Skipped("not a file")  # reading a pipe would wait for ever
    if path.stat().st_size > Limits().max_file_bytes:
        raise Skipped("the file is over the size limit")
    with path.open("rb") as file:
        if not is_dicom(file.read(4096)):
            raise Skipped("not a DICOM file")
    return path
