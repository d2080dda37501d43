"""Export on real servers: to a folder, to a DICOM node, and to what Orthanc knows."""

import gc
import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner, Result
from pydicom import dcmread, uid
from pydicom.dataset import Dataset

from mskmodel.dicom.writing import CR
from tests.dicom3tools import contradictions, errors
from tests.results_site import ResultsSite
from tests.servers import Orthanc, running_orthanc
from workers.cli import main
from workers.metadata.outcome import FAILED, NEEDS_REVIEW, SKIPPED
from workers.pacs import OrthancClient

#: pynetdicom leaves the socket of a refused connection to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def export(site: ResultsSite, *arguments: object) -> Result:
    return CliRunner().invoke(main, ["export", *map(str, arguments)], env=site.environment)


def read(folder: Path) -> list[Dataset]:
    return [dcmread(path) for path in sorted(folder.rglob("*.dcm"))]


@pytest.fixture(scope="module", autouse=True)
def no_socket_is_left_to_other_tests() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """Another Orthanc, to which copies go."""
    with running_orthanc(tmp_path_factory.mktemp("other")) as server:
        yield server


def held(server: Orthanc) -> set[str]:
    """The SOP Instance UIDs that it holds."""
    client = OrthancClient(server.url, server.user, server.password)
    found = client.stored(client.instance_ids(0, 1000)).values()
    client.close()
    return {each.sop_instance for each in found}


def mixed(site: ResultsSite) -> dict[str, str]:
    """Images of every ending, by name; three of them have a label."""
    stored = {
        "labelled": site.answer(site.store("labelled"), "ankle_lateral"),
        "corrected": site.answer(site.store("corrected")),
        "of a person": site.answer(site.store("of a person"), None, SKIPPED),
        "abstained": site.answer(site.store("abstained"), None, NEEDS_REVIEW),
        "failed": site.answer(site.store("failed"), None, FAILED),
        "none": site.answer(site.store("none")),
        "waiting": site.store("waiting"),
    }
    site.say(stored["corrected"], "pelvis_ap")
    site.say(stored["of a person"], "knee_ap")
    site.orthanc.put_metadata(stored["none"], "MskTruth", '{"label": null, "author": "anna", "time": ""}')
    return stored


def test_to_a_folder_go_valid_copies_of_what_has_a_label(site: ResultsSite, tmp_path: Path) -> None:
    stored = mixed(site)
    done = export(site, site.study, "--folder", tmp_path)
    assert (done.exit_code, done.stderr.strip()) == (0, "")
    assert done.stdout == "3 images exported, in 3 series; 4 left out, which have no label\n"
    copies = read(tmp_path)
    assert {(ds.BodyPartExamined, ds.ViewPosition) for ds in copies} == {
        ("ANKLE", "LL"),
        ("PELVIS", "AP"),
        ("KNEE", "AP"),
    }
    by_person = {"a person" in ds.ContributingEquipmentSequence[0].ContributionDescription for ds in copies}
    assert by_person == {True, False}
    files = [path.read_bytes() for path in tmp_path.rglob("*.dcm")]
    assert [errors(data) for data in files] == [[]] * 3
    originals = [site.orthanc.file(each, 2**24) for each in stored.values()]
    assert contradictions([*originals, *files]) == []
    names = " ".join(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))
    assert not any(text in names for text in ("Quincy", "P-1", site.study))
    assert set(site.orthanc.study_metadata(site.study_id, 100) or ()) == set(stored.values()), "nothing new in Orthanc"


def test_a_repeat_makes_the_same_files(site: ResultsSite, tmp_path: Path) -> None:
    mixed(site)
    for folder in ("first", "second"):
        export(site, site.study, "--folder", tmp_path / folder)
    first, second = (
        {path.name: path.read_bytes() for path in (tmp_path / folder).rglob("*.dcm")} for folder in ("first", "second")
    )
    assert first == second and len(first) == 3


@pytest.mark.parametrize("transfer_syntax", [uid.JPEGLSLossless, uid.JPEG2000Lossless, uid.RLELossless])
def test_compressed_pixels_are_not_touched(site: ResultsSite, tmp_path: Path, transfer_syntax: str) -> None:
    image = site.answer(site.store("a", transfer_syntax=transfer_syntax, sop_class=CR))
    export(site, site.study, "--folder", tmp_path)
    (ds,) = read(tmp_path)
    source = dcmread(BytesIO(site.orthanc.file(image, 2**24)))
    assert (ds.file_meta.TransferSyntaxUID, ds.PixelData) == (transfer_syntax, source.PixelData)


def test_labels_select_and_json_tells_what_became_of_each(site: ResultsSite, tmp_path: Path) -> None:
    stored = mixed(site)
    done = export(site, site.study, "--folder", tmp_path, "--label", "knee_ap", "--label", "ankle_lateral", "--json")
    told = json.loads(done.stdout)
    assert {each["instance"] for each in told["copies"]} == {stored["labelled"], stored["of a person"]}
    assert {each["sop_instance"] for each in told["copies"]} == {ds.SOPInstanceUID for ds in read(tmp_path)}
    assert (told["left_out"], told["not_asked_for"], told["problems"]) == (4, 1, [])
    assert export(site, site.study, "--folder", tmp_path, "--label", "knie").exit_code == 2


def test_images_of_a_view_share_a_series_and_agree_in_it(site: ResultsSite, tmp_path: Path) -> None:
    for name, label in (("a", "knee_ap"), ("b", "knee_ap"), ("c", "knee_lateral")):
        site.answer(site.store(name), label)
    export(site, site.study, "--folder", tmp_path)
    by_series: dict[str, list[Dataset]] = {}
    for ds in read(tmp_path):
        by_series.setdefault(ds.SeriesInstanceUID, []).append(ds)
    assert sorted(map(len, by_series.values())) == [1, 2]
    for found in by_series.values():
        assert len({(ds.BodyPartExamined, ds.SeriesDescription, ds.Modality) for ds in found}) == 1


def test_to_a_dicom_node(site: ResultsSite, other: Orthanc) -> None:
    mixed(site)
    node = f"127.0.0.1:{other.dicom_port}"
    told = json.loads(export(site, site.study, "--node", node, "--called-aet", "MSK", "--json").stdout)
    assert {each["sop_instance"] for each in told["copies"]} <= held(other) and len(told["copies"]) == 3
    away = export(site, site.study, "--node", "127.0.0.1:1")
    assert (away.exit_code, "accepts no association" in away.output) == (1, True)


def test_to_a_modality_and_a_peer_of_orthanc(site: ResultsSite, other: Orthanc) -> None:
    login = (site.server.user, site.server.password)
    modality = {"AET": "MSK", "Host": "127.0.0.1", "Port": other.dicom_port}
    peer = {"Url": other.url, "Username": other.user, "Password": other.password}
    for path, body in (
        ("modalities/pacs", modality),
        ("peers/copy", peer),
        ("modalities/away", modality | {"Port": 1}),
    ):
        requests.put(f"{site.server.url}/{path}", json=body, auth=login, timeout=10).raise_for_status()
    mixed(site)
    for number, option in enumerate(("--modality=pacs", "--peer=copy")):
        label = ("ankle_lateral", "pelvis_ap")[number]
        told = json.loads(export(site, site.study, option, "--label", label, "--json").stdout)
        (copy,) = told["copies"]
        assert copy["sop_instance"] in held(other)
    away = export(site, site.study, "--modality", "away")
    assert (away.exit_code, away.stderr.count("Orthanc could not send it")) == (1, 3)
    unknown = export(site, site.study, "--peer", "nowhere")
    assert (unknown.exit_code, "which are: copy" in unknown.output) == (1, True)


@pytest.mark.filterwarnings("ignore:The value length")
def test_what_cannot_be_exported_does_not_stop_the_rest(site: ResultsSite, tmp_path: Path) -> None:
    def long(ds: Dataset) -> None:
        ds.SeriesInstanceUID = "2.25." + "1" * 70

    bad = site.answer(site.store("bad", long))
    unknown = site.answer(site.store("unknown"), "a_label_of_theirs")
    site.answer(site.store("good"))
    mixed_up = site.of_study(f"{site.study}.2")
    mixed_up.answer(mixed_up.store("a"))
    mixed_up.answer(mixed_up.store("a", patient="P-2"))
    done = export(site, mixed_up.study, "2.25.404", site.study, "--folder", tmp_path)
    assert (done.exit_code, done.stdout[:17]) == (1, "1 images exported")
    assert f"{bad}: a unique identifier in its header is not valid" in done.stderr
    assert f"{unknown}: no table of labels says what a_label_of_theirs is" in done.stderr
    assert f"{mixed_up.study}: Orthanc holds this Study Instance UID under 2 patients" in done.stderr
    assert "2.25.404: Orthanc holds no study" in done.stderr
    everything = export(site, "--all", "--folder", tmp_path / "all")
    assert (everything.exit_code, "under 2 patients" in everything.stderr) == (1, True)


def test_an_archive_without_studies_is_exported_at_once(site: ResultsSite, tmp_path: Path) -> None:
    site.empty()
    done = export(site, "--all", "--folder", tmp_path)
    assert (done.exit_code, done.stdout) == (0, "0 images exported, in 0 series; 0 left out, which have no label\n")


def test_one_place_is_named(site: ResultsSite, tmp_path: Path) -> None:
    for arguments in (
        (site.study,),
        (site.study, "--folder", tmp_path, "--peer", "copy"),
        ("--folder", tmp_path),
        (site.study, "--all", "--folder", tmp_path),
        (site.study, "--node", "pacs"),
    ):
        assert export(site, *arguments).exit_code == 2
