"""Pixels, header and study in a whole stack: phantoms whose headers are wrong or silent, or say it in German."""

import json
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset

from mskmodel.dicom.reading import read_radiograph
from mskmodel.dicom.writing import Header, write_dx
from mskmodel.phantoms.making import make
from mskmodel.radiograph import Radiograph
from mskmodel.registry import Registry
from mskmodel.registry.classifier import Classifier
from tests.local_stack import LocalStack
from tests.waiting import until

NAMES = ("elbow_lateral", "knee_lateral", "elbow_ap", "knee_ap")
#: Never to be found outside of Orthanc's own files.
SECRET = "Quincy"


@dataclass(frozen=True)
class Pictures:
    """Pixels of phantoms that the shipped model is sure of, and of one that it is not."""

    elbow_ap: NDArray[np.uint16]
    knee_ap: NDArray[np.uint16]
    unsure: NDArray[np.uint16]
    """A lateral elbow with a lateral knee shining through."""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Pictures:
    folder = tmp_path_factory.mktemp("phantoms")
    classifier = Classifier.load(Registry(None).promoted(), "cpu")

    def shows(pixels: NDArray[np.uint16]) -> dict[str, float]:
        said = classifier.classify([classifier.prepare(Radiograph(pixels.copy(), 12))])[0]
        return dict(zip((*classifier.classes, "none"), said.probabilities, strict=True))

    found: dict[str, list[NDArray[np.uint16]]] = {name: [] for name in NAMES}
    for one in make(folder, 3 * len(NAMES), 7, names=NAMES, workers=1):
        found[one.shows].append(_square(read_radiograph((folder / one.file).read_bytes())))
    sure = {name: max(found[name], key=lambda pixels, name=name: shows(pixels)[name]) for name in NAMES}
    blends = [
        np.asarray(share * elbow + (1 - share) * knee, np.uint16)
        for elbow in found["elbow_lateral"]
        for knee in found["knee_lateral"]
        for share in np.linspace(0.2, 0.8, 13)
    ]
    unsure = [each for each in blends if _is_torn(shows(each))]
    assert unsure, "no blend that the model is unsure of"
    return Pictures(sure["elbow_ap"], sure["knee_ap"], unsure[0])


def _square(radiograph: Radiograph) -> NDArray[np.uint16]:
    side = min(radiograph.pixels.shape)
    top, left = ((size - side) // 2 for size in radiograph.pixels.shape)
    rows = np.linspace(0, side - 1, 512).astype(int)
    grey = radiograph.pixels[top + rows][:, left + rows].astype(float) * 4095 / (2**radiograph.bits - 1)
    return np.asarray(grey, np.uint16)


def _is_torn(shows: dict[str, float]) -> bool:
    """Whether it has no label of its own, and elbow and knee are likely."""
    return max(shows.values()) < 0.5 and min(shows["elbow_lateral"], shows["knee_lateral"]) > 0.15


@dataclass(frozen=True)
class Hospital:
    """Sends radiographs of one study to the stack."""

    stack: LocalStack
    study: str

    def store(self, name: str, pixels: NDArray[np.uint16], **header: str) -> str:
        data = dcmread(BytesIO(write_dx(pixels, header=Header(identity=f"{self.study} {name}"), bits=12)))
        data.StudyInstanceUID, data.SeriesInstanceUID = self.study, f"{self.study}.1"
        data.PatientName, data.PatientID = f"{SECRET}^Ann", f"7-{self.study}"
        for keyword in ("BodyPartExamined", "ViewPosition", "AnatomicRegionSequence", "ViewCodeSequence"):
            data.pop(keyword, None)
        data.SpecificCharacterSet = "ISO_IR 192"
        for keyword, value in header.items():
            setattr(data, keyword, value)
        instance_id = self.stack.orthanc.upload(_written(data))
        until(lambda: self.stack.outcome(instance_id), seconds=60)
        return instance_id

    def outcome(self, instance_id: str) -> dict[str, Any]:
        found = self.stack.outcome(instance_id)
        assert found is not None
        return found

    def settled(self, instance_id: str, siblings: int) -> dict[str, Any]:
        """The outcome once so many siblings were heard."""

        def heard() -> bool:
            said = self.outcome(instance_id)["siblings"]
            return said is not None and said["count"] == siblings

        until(heard, seconds=120)
        return self.outcome(instance_id)

    def shown(self, instance_id: str) -> str | None:
        return self.stack.orthanc.metadata(instance_id).get("MskLabel")


def _written(data: Dataset) -> bytes:
    buffer = BytesIO()
    dcmwrite(buffer, data, enforce_file_format=True)
    return buffer.getvalue()


@pytest.fixture
def hospital(shared_stack: LocalStack) -> Callable[[int], Hospital]:
    return lambda number: Hospital(shared_stack, f"2.25.34{number}")


def test_a_wrong_header_is_outvoted_and_found(pictures: Pictures, hospital: Callable[[int], Hospital]) -> None:
    its = hospital(1)
    knee = its.store("knee", pictures.knee_ap, BodyPartExamined="HAND")
    outcome = its.outcome(knee)
    assert (outcome["label"], its.shown(knee)) == ("knee_ap", "knee_ap")
    assert outcome["disagreement"] > 0.5
    assert "header says hand" in outcome["explanation"]
    found = json.loads(its.stack.msk("jobs", "suggest", "10", "--headers", "--json", "-").stdout)
    assert knee in [one["instance"] for one in found]


def test_what_a_header_says_in_german_decides_where_the_pixels_are_torn(
    pictures: Pictures, hospital: Callable[[int], Hospital]
) -> None:
    its = hospital(2)
    text = f"{SECRET}, Ann: Röntgen Ellenbogen seitl. li."
    torn = its.store("torn", pictures.unsure, SeriesDescription=text)
    outcome = its.outcome(torn)
    assert (outcome["label"], outcome["claims"]["side"]) == ("elbow_lateral", "L")
    assert outcome["region"][0] == "elbow"
    assert "header says elbow, lateral" in outcome["explanation"]
    assert SECRET not in json.dumps(its.stack.orthanc.metadata(torn))


def test_a_sibling_decides_later_and_says_why(pictures: Pictures, hospital: Callable[[int], Hospital]) -> None:
    its = hospital(3)
    torn = its.store("torn", pictures.unsure)
    assert (its.outcome(torn)["status"], its.shown(torn)) == ("needs-review", None)
    its.store("sure", pictures.elbow_ap)
    outcome = its.settled(torn, siblings=1)
    assert (outcome["label"], outcome["siblings"]["moved"], outcome["siblings"]["before"]) == (
        "elbow_lateral",
        True,
        None,
    )
    assert "its sibling is an elbow AP" in outcome["explanation"]
    assert its.shown(torn) == "elbow_lateral"


def test_a_study_that_grows_while_workers_die_is_settled_all_the_same(
    pictures: Pictures, hospital: Callable[[int], Hospital]
) -> None:
    its = hospital(4)
    torn, first = its.store("torn", pictures.unsure), its.store("first", pictures.elbow_ap)
    its.settled(torn, siblings=1)
    second = its.store("second", pictures.knee_ap, BodyPartExamined="KNEE")
    for _ in range(3):
        worker = its.stack.pid("label-worker")
        if worker is not None:
            os.kill(worker, signal.SIGKILL)
        until(lambda dead=worker: its.stack.pid("label-worker") not in (None, dead), seconds=60)
    assert its.settled(first, siblings=2)["label"] == "elbow_ap"
    assert its.settled(second, siblings=2)["label"] == "knee_ap"
    assert its.shown(torn) == its.outcome(torn)["label"] == "elbow_lateral", "siblings move a label once"


def test_what_the_headers_are_worth_can_be_looked_at(
    pictures: Pictures, hospital: Callable[[int], Hospital], tmp_path: Path
) -> None:
    its = hospital(5)
    its.store("knee", pictures.knee_ap, BodyPartExamined="KNEE", ViewPosition="AP")

    def learned() -> bool:
        found = its.stack.msk("evidence", "show", "--json").stdout
        (tmp_path / "evidence.json").write_text(found)
        return '"body part"' in found and '"knee"' in found

    until(learned, seconds=90)
    assert SECRET not in (tmp_path / "evidence.json").read_text()
    logs = [path.read_text(errors="replace") for path in (its.stack.data / "logs").iterdir()]
    assert not any(SECRET in log for log in logs)
    records = its.stack.data / "records"
    assert not any(SECRET.encode() in path.read_bytes() for path in records.iterdir())
