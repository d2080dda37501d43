"""Patient and study for another object of the study: byte by byte where they are valid, and valid in any case."""

from collections.abc import Callable
from io import BytesIO

import pytest
from pydicom import dcmread, uid
from pydicom.dataset import Dataset
from pydicom.filewriter import dcmwrite

from mskmodel.dicom.study_header import BadHeader, study_header
from mskmodel.radiograph import NotClassifiable
from tests import dicom_files


def header_of(change: Callable[[Dataset], None], transfer_syntax: str = uid.ExplicitVRLittleEndian) -> Dataset:
    """The header as a reader sees it in an object that has nothing else."""
    return written(study_header(dicom_files.edited("header", change, transfer_syntax=transfer_syntax)))


def written(header: Dataset) -> Dataset:
    buffer = BytesIO()
    dcmwrite(buffer, header, implicit_vr=False, little_endian=True)
    buffer.seek(0)
    return dcmread(buffer, force=True)


def named(**values: object) -> Callable[[Dataset], None]:
    def change(ds: Dataset) -> None:
        for keyword, value in values.items():
            setattr(ds, keyword, value)

    return change


@pytest.mark.parametrize(
    "transfer_syntax",
    [
        uid.ImplicitVRLittleEndian,
        uid.ExplicitVRBigEndian,
        uid.DeflatedExplicitVRLittleEndian,
        uid.JPEGLSLossless,
    ],
)
def test_it_is_read_in_any_encoding(transfer_syntax: str) -> None:
    ds = header_of(named(PatientName="Müller^Jörg", StudyDescription="Füße"), transfer_syntax)
    assert (ds.PatientName, ds.StudyDescription, ds.PatientID) == ("Müller^Jörg", "Füße", "SYNTHETIC")


@pytest.mark.parametrize(
    ("character_set", "name"),
    [
        ("ISO_IR 100", "Müller^Jörg"),
        ("ISO_IR 144", "Ющ^Жд"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        (["ISO 2022 IR 13", "ISO 2022 IR 87"], "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"),
        (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동"),
        ("GB18030", "Wang^XiaoDong=王^小东"),
        ("ISO_IR 192", "Łukasz^Żółć"),
    ],
)
def test_character_sets_are_copied_byte_by_byte(character_set: object, name: str) -> None:
    data = dicom_files.edited("header", named(SpecificCharacterSet=character_set, PatientName=name))
    source, copied = dcmread(BytesIO(data)), written(study_header(data))
    assert copied.PatientName == source.PatientName == name
    assert copied.get_item("PatientName").value == source.get_item("PatientName").value
    assert copied.SpecificCharacterSet == source.SpecificCharacterSet


def test_what_is_absent_is_empty_or_stays_absent() -> None:
    def without(ds: Dataset) -> None:
        for keyword in ("PatientName", "PatientID", "PatientSex", "SpecificCharacterSet", "StudyDate"):
            delattr(ds, keyword)

    ds = header_of(without)
    assert (ds.PatientName, ds.PatientID, ds.PatientSex, ds.StudyDate) == ("", "", "", "")
    assert "SpecificCharacterSet" not in ds and "IssuerOfPatientID" not in ds and "StudyDescription" not in ds


@pytest.mark.filterwarnings("ignore:.*")
@pytest.mark.parametrize(
    ("keyword", "value", "expected"),
    [
        ("PatientName", "N" * 100, "N" * 64),
        ("PatientName", "A^B^C^D^E^F", "A^B^C^D^E"),
        ("StudyDescription", "D" * 100, "D" * 64),
        ("AccessionNumber", "A" * 17, ""),
        ("IssuerOfPatientID", "I" * 65, None),
        ("PatientBirthDate", "19701399", ""),
        ("PatientBirthDate", "1970.01.01", ""),
        ("PatientSex", "FEMALE", ""),
        ("StudyTime", "2500", ""),
        ("StudyID", "1\t2", ""),
    ],
)
def test_a_value_that_is_not_valid_is_cut_or_left_empty(keyword: str, value: str, expected: str | None) -> None:
    ds = header_of(named(**{keyword: value}))
    assert ds.get(keyword) == expected
    assert (ds.PatientID, ds.SpecificCharacterSet) == ("SYNTHETIC", "ISO_IR 192")


@pytest.mark.filterwarnings("ignore:.*")
@pytest.mark.parametrize(
    ("keyword", "value", "reason"),
    [
        ("PatientID", "P" * 65, r"Patient ID is not as DICOM wants it \(65 characters\)"),
        ("PatientID", "A\\B", "Patient ID"),
        ("PatientID", "A\x07B", "Patient ID"),
        ("StudyInstanceUID", "1." * 40 + "1", "Study Instance UID"),
        ("StudyInstanceUID", "", "Study Instance UID"),
    ],
)
def test_what_decides_about_identity_is_copied_or_refused(keyword: str, value: str, reason: str) -> None:
    with pytest.raises(BadHeader, match=reason) as refused:
        header_of(named(**{keyword: value}))
    assert not value or value not in str(refused.value)


def test_hostile_files_end_in_an_answer_or_a_reason() -> None:
    for file in dicom_files.hostile_files():
        try:
            assert study_header(file.data).PatientID == "SYNTHETIC"
        except NotClassifiable as error:
            assert error.reason
