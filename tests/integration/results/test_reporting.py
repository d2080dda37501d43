"""Reports in their study, on a real Orthanc: written once, replaced, repaired after a death, and never mixed."""

import json
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from highdicom.sr import srread
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from tests.dicom3tools import complaints, contradictions, errors
from tests.results_site import ResultsSite
from workers.broker.queues import LABEL
from workers.metadata.outcome import FAILED, NEEDS_REVIEW, SKIPPED
from workers.pacs import OrthancClient
from workers.results.reporting import NOTHING, UNCHANGED, WAITING, WRITTEN, ReportRefused, write_report
from workers.results.study import AmbiguousStudy

#: What dciodvfy says of every report: its tables have no private coding scheme, and no Device UID among the attributes
#: of contributing equipment.
KNOWN = [
    "Warning - Attribute is not present in standard DICOM IOD - (0x0018,0x1002) UI Device UID ",
    "Warning - Dicom dataset contains attributes not present in standard DICOM IOD"
    " - this is a Standard Extended SOP Class",
    "Warning - Unrecognized defined term <99MSK> for value 1 of attribute <Coding Scheme Designator>",
]


def write(site: ResultsSite) -> str:
    return write_report(site.orthanc, site.ledger, site.study_id).status


def predecessors(data: bytes) -> list[str]:
    ds = dcmread(BytesIO(data))
    series = [each for study in ds.get("PredecessorDocumentsSequence", []) for each in study.ReferencedSeriesSequence]
    return [item.ReferencedSOPInstanceUID for each in series for item in each.ReferencedSOPSequence]


def groups(data: bytes) -> dict[str, Any]:
    """The measurement groups, by the SOP Instance UID of their image."""
    found = srread(BytesIO(data)).content.get_image_measurement_groups()
    return {str(each.source_images[0].referenced_sop_instance_uid): each for each in found}


def evaluated(group: Any, name: Code) -> Code | None:
    found = group.get_qualitative_evaluations(name)
    return found[0].value if found else None


def own(value: str) -> Code:
    return Code(value, "99MSK", "")


def test_a_report_says_of_each_image_what_is_known(site: ResultsSite) -> None:
    stored = {
        "labelled": site.answer(site.store("labelled")),
        "abstained": site.answer(site.store("abstained"), None, NEEDS_REVIEW, region=("foot", 0.83), confidence=0.4),
        "failed": site.answer(site.store("failed"), None, FAILED, model=None, confidence=None),
        "corrected": site.answer(site.store("corrected")),
        "confirmed": site.answer(site.store("confirmed")),
        "given": site.answer(site.store("given"), None, NEEDS_REVIEW),
        "none": site.answer(site.store("none")),
    }
    site.answer(site.store("a document"), None, SKIPPED)
    site.say(stored["corrected"], "ankle_lateral", "L")
    site.say(stored["confirmed"], "knee_ap")
    site.say(stored["given"], "pelvis_ap")
    site.orthanc.put_metadata(stored["none"], "MskTruth", '{"label": null, "author": "anna", "time": ""}')
    assert write(site) == WRITTEN
    data = site.report()
    uids = {name: dcmread(BytesIO(site.orthanc.file(i, 2**24))).SOPInstanceUID for name, i in stored.items()}
    found = {name: groups(data)[uid] for name, uid in uids.items()}
    assert len(groups(data)) == len(stored), "what is no radiograph is not in it"

    said = found["labelled"]
    assert said.finding_type == own("knee_ap")
    assert said.finding_sites[0].value == codes.SCT.Knee
    assert said.finding_sites[0].laterality == codes.cid244.Right
    assert evaluated(said, codes.DCM.ImageView) == codes.cid4010.AnteroPosterior
    (certainty,) = said.get_measurements(codes.DCM.CertaintyOfFinding)
    assert (certainty.value, certainty.unit) == (97.31, codes.UCUM.Percent)
    assert evaluated(said, own("outcome")) == own("labelled")
    assert evaluated(said, own("judged")) == own("not-judged")
    text = data.decode("latin-1")
    assert "msk-labeller AlexNet" in text and "evidence: pixels, header" in text and "anna" not in text

    said = found["abstained"]
    assert (said.finding_type, said.finding_sites[0].value) == (own("no-label"), codes.SCT.Foot)
    assert evaluated(said, own("outcome")).meaning == "No label given: left to a person"
    assert not said.get_measurements() and evaluated(said, codes.DCM.ImageView) is None

    assert evaluated(found["failed"], own("outcome")) == own("failed")
    assert evaluated(found["corrected"], own("judged")) == own("corrected")
    assert evaluated(found["corrected"], own("label-by-model")) == own("knee_ap")
    assert found["corrected"].finding_type == own("ankle_lateral") and not found["corrected"].get_measurements()
    assert found["corrected"].finding_sites[0].laterality == codes.cid244.Left
    assert evaluated(found["corrected"], own("side-by")) == own("person")
    assert evaluated(found["labelled"], own("side-by")) == own("header")
    assert evaluated(found["confirmed"], own("judged")) == own("confirmed")
    assert evaluated(found["given"], own("judged")) == own("given")
    assert found["given"].finding_sites[0].laterality is None, "a pelvis has no side"
    assert (found["none"].finding_type, found["none"].finding_sites) == (own("none"), [])

    ds = dcmread(BytesIO(data))
    assert (ds.VerificationFlag, ds.PreliminaryFlag, ds.CompletionFlag) == ("UNVERIFIED", "PRELIMINARY", "PARTIAL")
    assert ds.CompletionFlagDescription == "1 of 7 images have no result"
    algorithm = ds.ContributingEquipmentSequence[-1]
    assert (algorithm.ManufacturerModelName, algorithm.SoftwareVersions) == ("msk-labeller AlexNet", "v1")
    assert complaints(data) == KNOWN
    assert contradictions(site.files()) == []


def test_what_has_not_changed_is_not_written_again(site: ResultsSite) -> None:
    site.answer(site.store("a"))
    assert (write(site), write(site)) == (WRITTEN, UNCHANGED)
    (report,) = site.reports()
    # The report itself becomes an instance that is skipped, and changes nothing either.
    site.answer(report, None, SKIPPED)
    assert (write(site), list(site.reports())) == (UNCHANGED, [report])


def test_another_outcome_replaces_it_and_names_its_predecessor(site: ResultsSite) -> None:
    image = site.answer(site.store("a"))
    write(site)
    first = dcmread(BytesIO(site.report())).SOPInstanceUID
    site.answer(image, "knee_lateral")
    assert write(site) == WRITTEN
    second = dcmread(BytesIO(site.report())).SOPInstanceUID
    assert (predecessors(site.report()), errors(site.report())) == ([first], [])
    site.answer(image)
    assert write(site) == WRITTEN
    third = site.report()
    assert predecessors(third) == [second], "and what was said before is said by a new object"
    assert len({first, second, dcmread(BytesIO(third)).SOPInstanceUID}) == 3
    assert write(site) == UNCHANGED
    assert dcmread(BytesIO(third)).SeriesInstanceUID == dcmread(BytesIO(site.report())).SeriesInstanceUID


@pytest.mark.parametrize("back", [False, True])
def test_a_death_between_store_and_delete_is_repaired(
    site: ResultsSite, monkeypatch: pytest.MonkeyPatch, back: bool
) -> None:
    image = site.answer(site.store("a"))
    write(site)
    (first,) = site.reports()
    site.answer(image, "knee_lateral")

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(OrthancClient, "delete", dies)
        with pytest.raises(KeyboardInterrupt):
            write(site)
    assert len(site.reports()) == 2
    (second,) = set(site.reports()) - {first}
    if back:  # what the older one says is right again: it stays the older one
        site.answer(image)
    assert write(site) == (WRITTEN if back else UNCHANGED)
    (left,) = site.reports()
    assert (left == second) is not back and left != first
    assert write(site) == UNCHANGED


def test_a_death_before_the_store_leaves_the_old_one(site: ResultsSite, monkeypatch: pytest.MonkeyPatch) -> None:
    image = site.answer(site.store("a"))
    write(site)
    before = list(site.reports())
    site.answer(image, "knee_lateral")

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(OrthancClient, "upload", dies)
        with pytest.raises(KeyboardInterrupt):
            write(site)
    assert list(site.reports()) == before
    assert (write(site), write(site)) == (WRITTEN, UNCHANGED)


def test_two_writers_at_a_time_leave_one(site: ResultsSite, monkeypatch: pytest.MonkeyPatch) -> None:
    image = site.answer(site.store("a"))
    upload = OrthancClient.upload

    def overtaken(orthanc: OrthancClient, data: bytes) -> str:
        monkeypatch.undo()
        site.answer(image, "knee_lateral")
        assert write(site) == WRITTEN  # another process, which knows more
        return upload(orthanc, data)

    monkeypatch.setattr(OrthancClient, "upload", overtaken)
    write(site)
    assert len(site.reports()) == 2
    write(site)
    assert len(predecessors(site.report())) in (0, 2)
    (group,) = groups(site.report()).values()
    assert group.finding_type == own("knee_lateral")


def test_a_study_of_which_something_waits_is_not_reported_yet(site: ResultsSite) -> None:
    answered, waiting = site.answer(site.store("a")), site.store("b")
    assert (write(site), site.reports()) == (WAITING, {})
    site.answer(waiting)
    assert write(site) == WRITTEN
    site.ledger.open([answered], LABEL)  # it is to be labelled again
    assert write(site) == WAITING


def test_where_there_is_nothing_to_report_there_is_no_report(site: ResultsSite) -> None:
    image = site.answer(site.store("a"), None, SKIPPED)
    assert (write(site), site.reports()) == (NOTHING, {})
    site.say(image, "knee_ap")
    assert write(site) == WRITTEN
    site.orthanc.delete_metadata(image, "MskTruth")
    assert (write(site), site.reports()) == (NOTHING, {})


def _german(ds: Dataset) -> None:
    ds.SpecificCharacterSet, ds.PatientName, ds.StudyDescription = "ISO_IR 100", "Müller^Jörg", "Knie in 2 Ebenen, früh"


def _japanese(ds: Dataset) -> None:
    ds.SpecificCharacterSet = ["", "ISO 2022 IR 87"]
    ds.PatientName, ds.StudyDescription = "Yamada^Tarou=山田^太郎=やまだ^たろう", "膝関節　正面"


def _nobody(ds: Dataset) -> None:
    for keyword in ("PatientName", "PatientBirthDate", "PatientSex", "StudyTime", "AccessionNumber", "StudyID"):
        delattr(ds, keyword)


@pytest.mark.parametrize("change", [_german, _japanese, _nobody])
def test_patient_and_study_are_copied_as_they_are(site: ResultsSite, change: Callable[[Dataset], None]) -> None:
    image = site.answer(site.store("a", change))
    assert write(site) == WRITTEN
    source, ds = dcmread(BytesIO(site.orthanc.file(image, 2**24))), dcmread(BytesIO(site.report()))
    for keyword in ("PatientName", "PatientID", "StudyDescription", "StudyDate", "SpecificCharacterSet"):
        assert ds.get(keyword, "") == source.get(keyword, "")
    assert "PatientBirthDate" in ds and "PatientSex" in ds and "AccessionNumber" in ds
    assert (errors(site.report()), contradictions(site.files())) == ([], [])


def _overlong(ds: Dataset) -> None:
    ds.PatientName, ds.StudyDescription, ds.AccessionNumber = "N" * 200, "D" * 300, "A" * 40
    ds.PatientBirthDate, ds.PatientSex, ds.StudyTime, ds.StudyID = "born", "X", "noon", "S" * 17
    ds.ReferringPhysicianName = "A^B^C^D^E^F^G"


def _odd(ds: Dataset) -> None:
    ds.PatientName, ds.StudyDescription = "A\x07B^C", "tab\tand\x1b$B escape"
    ds.SpecificCharacterSet = "ISO_IR 999"


def _not_what_it_says(ds: Dataset) -> None:
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds._dict[ds["PatientName"].tag] = ds["PatientName"].__class__(ds["PatientName"].tag, "PN", b"M\xfcller")


@pytest.mark.parametrize("change", [_overlong, _odd, _not_what_it_says])
@pytest.mark.filterwarnings("ignore:.*")
def test_a_header_that_is_not_valid_makes_a_valid_report(
    site: ResultsSite, change: Callable[[Dataset], None], caplog: pytest.LogCaptureFixture
) -> None:
    site.answer(site.store("a", change))
    caplog.clear()
    caplog.set_level("DEBUG")
    assert (write(site), write(site)) == (WRITTEN, UNCHANGED)
    assert not any(text in caplog.text for text in ("NNN", "DDD", "AAA", "born", "noon", "ller", "escape", "P-1"))
    assert errors(site.report()) == []


def _long_patient(ds: Dataset) -> None:
    ds.PatientID = "P" * 65


@pytest.mark.filterwarnings("ignore:.*")
def test_what_decides_about_identity_is_never_changed(site: ResultsSite) -> None:
    site.answer(site.store("a", _long_patient))
    with pytest.raises(ReportRefused, match=r"Patient ID is not as DICOM wants it \(65 characters\)"):
        write(site)
    assert site.reports() == {}


@pytest.mark.filterwarnings("ignore:.*")
@pytest.mark.parametrize("series", ["2.25.7", ""])
def test_a_study_whose_identifier_is_too_long_is_refused(site: ResultsSite, series: str) -> None:
    def of_series(ds: Dataset) -> None:
        ds.SeriesInstanceUID = series or ds.SeriesInstanceUID

    long = site.of_study("2.25." + ("1" if series else "2") * 70)
    long.answer(long.store("a", of_series))
    with pytest.raises(ReportRefused, match="Study Instance UID" if series else "identifiers of its images"):
        write(long)


@pytest.mark.filterwarnings("ignore:.*")
def test_an_image_that_nothing_can_refer_to_is_left_out_and_counted(site: ResultsSite) -> None:
    def long(ds: Dataset) -> None:
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = "2.25." + "1" * 70

    site.answer(site.store("a"))
    site.answer(site.store("b", long))
    assert write(site) == WRITTEN
    assert dcmread(BytesIO(site.report())).CompletionFlagDescription == "1 of 2 images have no result"
    assert (len(groups(site.report())), errors(site.report())) == (1, [])


def test_a_study_under_two_patients_is_refused(site: ResultsSite) -> None:
    first = site.answer(site.store("a"))
    site.answer(site.store("b", patient="P-2"))
    with pytest.raises(AmbiguousStudy, match="under 2 patients"):
        write_report(site.orthanc, site.ledger, site.orthanc.study_of(first))


@pytest.mark.parametrize(
    "fields",
    [
        {"label": "Quincy^Ada, born 1970"},
        {"label": ["knee_ap"]},
        {"confidence": "much"},
        {"confidence": 1e300},
        {"model": {"name": "Quincy"}},
        {"evidence": ["header"]},
        {"claims": {"side": "Quincy"}},
        {"attachment_md5": "Quincy Ada"},
        {"label": None, "region": ["Quincy", 0.9]},
    ],
)
def test_metadata_that_a_stranger_wrote_get_no_words_into_a_report(site: ResultsSite, fields: dict[str, Any]) -> None:
    image = site.answer(site.store("a"))
    outcome = json.loads(site.orthanc.metadata(image)["MskPrediction"])
    site.orthanc.put_metadata(image, "MskPrediction", json.dumps(outcome | fields))
    assert write(site) == WRITTEN
    ds = dcmread(BytesIO(site.report()))
    del ds.PatientName
    assert "Quincy" not in str(ds) and errors(site.report()) == []


def test_a_study_with_very_many_images_is_refused(site: ResultsSite, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "ab":
        site.answer(site.store(name))
    monkeypatch.setattr("workers.results.reporting.MOST", 1)
    with pytest.raises(ReportRefused, match="at most 1 images, and the study has 2"):
        write(site)


def test_a_study_of_three_hundred_images(site: ResultsSite) -> None:
    for number in range(300):
        site.answer(site.store(f"{number}"), *((None, NEEDS_REVIEW) if number % 3 else ()))
    assert (write(site), write(site)) == (WRITTEN, UNCHANGED)
    assert (len(groups(site.report())), complaints(site.report())) == (300, KNOWN)
