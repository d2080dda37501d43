"""What a header says in its own words: read in any character set, and never dangerous."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Callable

import pytest
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from mskmodel.dicom.character_set import codec, decoded
from mskmodel.dicom.reading import read_radiograph
from mskmodel.radiograph import HeaderCode, HeaderTexts, Radiograph
from tests.dicom_files import edited

TRANSFER_SYNTAXES = (
    uid.ExplicitVRLittleEndian,
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.DeflatedExplicitVRLittleEndian,
)


def read(change: Callable[[Dataset], None], transfer_syntax: str = uid.ExplicitVRLittleEndian) -> HeaderTexts:
    return read_radiograph(edited("header", change, transfer_syntax=transfer_syntax)).texts


def item(value: str, scheme: str, meaning: str, **modifiers: list[Dataset]) -> Dataset:
    ds = Dataset()
    ds.CodeValue, ds.CodingSchemeDesignator, ds.CodeMeaning = value, scheme, meaning
    for keyword, items in modifiers.items():
        setattr(ds, keyword, items)
    return ds


def _all_fields(ds: Dataset) -> None:
    ds.BodyPartExamined, ds.ViewPosition, ds.ImageLaterality = "KNEE", "LL", "R"
    ds.StudyDescription, ds.SeriesDescription, ds.ProtocolName = "Knie re. 2 Ebenen", "Knie seitl.", "KN2V"
    ds.AcquisitionDeviceProcessingDescription = "KNEE LAT"
    ds.StationName, ds.ManufacturerModelName = "DX1", "Unit 7"
    knee, lateral = codes.cid4009.Knee, codes.cid4010.LateralProjection
    right = item("24028007", "SCT", "Right")
    ds.AnatomicRegionSequence = [item(*knee[:2], "Knee", AnatomicRegionModifierSequence=[right])]
    ds.ViewCodeSequence = [
        item(*lateral[:2], "lateral", ViewModifierCodeSequence=[item("111069", "DCM", "Crosstable")])
    ]
    ds.ProcedureCodeSequence = [item("KN", "99SITE", "Knie"), item("EL", "99SITE", "Ellenbogen")]
    ds.PerformedProtocolCodeSequence = [item("K2", "99SITE", "Knie zwei")]
    requested = Dataset()
    requested.RequestedProcedureDescription = "Knie bei Sturz"
    ds.RequestAttributesSequence = [requested]


@pytest.mark.parametrize("transfer_syntax", TRANSFER_SYNTAXES)
def test_texts_and_codes_are_read_in_every_encoding(transfer_syntax: str) -> None:
    texts = read(_all_fields, transfer_syntax)

    assert (texts.body_part, texts.view_position, texts.laterality) == ("KNEE", "LL", "R")
    assert texts.study_descriptions == ("Knie re. 2 Ebenen", "Knie bei Sturz")
    assert texts.series_description == "Knie seitl."
    assert texts.protocols == ("KN2V", "KNEE LAT")
    assert texts.station == ("DX1", "Unit 7") and texts.modality == "DX"
    assert texts.anatomic_region == (HeaderCode("72696002", "SCT", "Knee"), HeaderCode("24028007", "SCT", "Right"))
    assert texts.view_codes == (HeaderCode("399067008", "SCT", "lateral"), HeaderCode("111069", "DCM", "Crosstable"))
    assert texts.procedure_codes == (HeaderCode("KN", "99SITE", "Knie"),)
    assert texts.protocol_codes == (HeaderCode("K2", "99SITE", "Knie zwei"),)


def test_a_header_that_says_nothing_has_no_texts() -> None:
    def strip(ds: Dataset) -> None:
        for element in list(ds):
            if element.tag.group not in (0x0028, 0x7FE0) and element.keyword not in ("SOPClassUID", "SOPInstanceUID"):
                del ds[element.tag]

    assert read(strip) == HeaderTexts()


@pytest.mark.parametrize(
    ("character_set", "text"),
    [
        ("ISO_IR 100", "Hüfte, Füße"),
        ("ISO_IR 192", "Łokieć, sağ el bileği"),
        ("ISO_IR 101", "Łokieć lewy"),
        ("ISO_IR 148", "sağ ayak bileği"),
        ("ISO_IR 144", "колено"),
        ("ISO_IR 109", "ħnejja"),
        ("ISO 2022 IR 100", "muñeca"),
        ("ISO_IR 13", "ﾋｻﾞ"),
        ("GB18030", "膝"),
    ],
)
def test_descriptions_are_decoded_in_the_character_set_of_the_file(character_set: str, text: str) -> None:
    def describe(ds: Dataset) -> None:
        ds.SpecificCharacterSet, ds.StudyDescription = character_set, text

    assert read(describe).study_descriptions == (text,)


@pytest.mark.parametrize("character_set", ["ISO_IR 100", "NO SUCH SET", "", "\\ISO 2022 IR 100"])
def test_utf_8_and_latin_1_are_told_apart_whatever_is_announced(character_set: str) -> None:
    name = codec(character_set.encode())

    assert decoded("Hüfte".encode(), name, 64) == "Hüfte"
    assert decoded("Hüfte".encode("latin-1"), name, 64) == "Hüfte"
    assert decoded(b"\x1b-AH\xfcfte", name, 64) == "Hüfte"


FIELDS = ("SpecificCharacterSet", "BodyPartExamined", "ViewPosition", "Laterality", "StudyDescription")
FIELDS += ("SeriesDescription", "ProtocolName", "StationName", "ManufacturerModelName")
PLACEHOLDER = "ABCDEFGHIJKLMNOP"


def _placeholders(ds: Dataset) -> None:
    _all_fields(ds)
    for keyword in FIELDS:
        setattr(ds, keyword, PLACEHOLDER)
    for sequence in (ds.AnatomicRegionSequence, ds.ViewCodeSequence, ds.ProcedureCodeSequence):
        sequence[0].CodeValue = sequence[0].CodeMeaning = PLACEHOLDER


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_any_bytes_in_these_fields_are_read_without_an_error() -> None:
    whole = edited("hostile", _placeholders)
    rng = random.Random(0)
    seen = 0
    for _ in range(300):
        data = whole
        while (at := data.find(PLACEHOLDER.encode())) >= 0:
            data = data[:at] + rng.randbytes(len(PLACEHOLDER)) + data[at + len(PLACEHOLDER) :]

        radiograph = read_radiograph(data)

        assert isinstance(radiograph, Radiograph)
        seen += bool(radiograph.texts.study_descriptions)
    assert seen > 250


def test_long_texts_and_crowded_sequences_cost_no_memory() -> None:
    def crowd(ds: Dataset) -> None:
        ds.StudyDescription = "knee " * 10_000
        ds.AnatomicRegionSequence = [item("K", "99SITE", "knee " * 10_000)] * 200
        nested = item("K", "99SITE", "knee")
        for _ in range(200):
            nested = item("K", "99SITE", "knee", ViewModifierCodeSequence=[nested])
        ds.ViewCodeSequence = [nested]

    with pytest.warns(UserWarning, match="exceeds"):
        data = edited("crowded", crowd, transfer_syntax=uid.ImplicitVRLittleEndian)
    read_radiograph(data)
    tracemalloc.start()
    texts = read_radiograph(data).texts
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert texts.study_descriptions == () and texts.anatomic_region == ()
    assert len(texts.view_codes) == 2
    assert peak < 1_000_000


def test_a_sequence_that_holds_no_item_says_nothing() -> None:
    data = edited("no item", _all_fields)
    at = data.index(b"\x08\x00\x18\x22SQ")
    length = int.from_bytes(data[at + 8 : at + 12], "little")
    broken = data[: at + 12] + b"\xff" * length + data[at + 12 + length :]

    texts = read_radiograph(broken).texts

    assert texts.anatomic_region == () and texts.view_codes and texts.body_part == "KNEE"
