"""What a header claims."""

from __future__ import annotations

import json

import pytest
from pydicom.dataset import Dataset

from mskmodel.dicom.reading import read_radiograph
from mskmodel.evidence.claim import FIELDS, Claim, Claims, claims_of, is_code
from mskmodel.evidence.terms import REGION_TERMS, VIEW_TERMS
from mskmodel.radiograph import HeaderCode, HeaderTexts
from tests.dicom_files import edited

SECRET = b"a secret of the site"


def claimed(texts: HeaderTexts) -> dict[tuple[str, str], tuple[str, ...]]:
    return {(one.field, one.kind): one.terms for one in claims_of(texts, SECRET).claims}


def test_every_field_claims_region_and_view_by_itself() -> None:
    texts = HeaderTexts(
        body_part="KNEE",
        view_position="LL",
        anatomic_region=(HeaderCode("127949000", "SCT"), HeaderCode("16953009", "SCT", "Elbow")),
        view_codes=(HeaderCode("399348003", "SCT", "antero-posterior"),),
        study_descriptions=("Knie re. 2 Ebenen",),
        series_description="Patella axial",
        protocols=("Unterschenkel", "lat"),
    )

    assert claimed(texts) == {
        ("body part", "region"): ("knee",),
        ("anatomic region", "region"): ("elbow",),
        ("view position", "view"): ("lateral",),
        ("view code", "view"): ("ap",),
        ("study description", "region"): ("knee",),
        ("study description", "view"): ("ap", "lateral"),
        ("series description", "region"): ("patella",),
        ("series description", "view"): ("skyline",),
        ("protocol", "region"): ("lower_leg",),
        ("protocol", "view"): ("lateral",),
    }


def test_a_header_that_says_nothing_claims_nothing() -> None:
    assert claims_of(HeaderTexts(), SECRET) == Claims()


def test_a_site_s_own_code_is_the_same_hash_each_time_and_another_one_elsewhere() -> None:
    texts = HeaderTexts(protocols=("QX7Z",), series_description="Qx-7 z", body_part="QX7Z", view_position="QX7Z")

    found = claimed(texts)

    code = found["body part", "region"][0]
    assert is_code(code) and len(code) == 13
    either = [(field, kind) for field in ("series description", "protocol") for kind in ("region", "view")]
    assert found == dict.fromkeys([("body part", "region"), ("view position", "view"), *either], (code,))
    assert code != claims_of(HeaderTexts(body_part="QX7Z"), b"another").claims[0].terms[0]
    assert claimed(HeaderTexts(body_part=" qx 7z ")) == {("body part", "region"): (code,)}
    assert claimed(HeaderTexts(body_part="17", series_description="1")) == {}


def test_study_descriptions_and_unknown_code_sequences_become_no_code() -> None:
    texts = HeaderTexts(study_descriptions=("KX 7",), procedure_codes=(HeaderCode("KX", "99SITE", "kx seven"),))

    assert claimed(texts) == {}


def test_a_code_stands_for_the_kind_of_claim_that_the_text_lacks() -> None:
    found = claimed(HeaderTexts(protocols=("Knie Programm 7",)))

    assert found["protocol", "region"] == ("knee",)
    assert is_code(found["protocol", "view"][0])


@pytest.mark.parametrize(
    ("texts", "side"),
    [
        (HeaderTexts(laterality="R"), "R"),
        (HeaderTexts(laterality="U"), ""),
        (HeaderTexts(body_part="KNEE", series_description="Knie li."), "L"),
        (HeaderTexts(laterality="L", study_descriptions=("both knees",)), "L"),
        (HeaderTexts(laterality="L", study_descriptions=("knee right",)), ""),
        (HeaderTexts(study_descriptions=("knees right and left",)), "B"),
        (HeaderTexts(anatomic_region=(HeaderCode("72696002", "SCT"), HeaderCode("7771000", "SCT"))), "L"),
        (HeaderTexts(view_codes=(HeaderCode("399173006", "SCT", "left lateral"),)), ""),
    ],
)
def test_the_side_is_what_laterality_and_texts_agree_on(texts: HeaderTexts, side: str) -> None:
    assert claims_of(texts, SECRET).side == side


def test_machines_are_told_apart_and_not_named() -> None:
    one = claims_of(HeaderTexts(modality="DX", station=("ROOM1", "Unit 7")), SECRET).group
    other = claims_of(HeaderTexts(modality="DX", station=("ROOM2", "Unit 7")), SECRET).group

    assert one and other and one != other
    assert "room" not in one.lower() and len(one) == 12
    assert claims_of(HeaderTexts(modality="DX", station=("room1", "Unit 7")), SECRET).group == one


def test_claims_come_back_from_json() -> None:
    claims = claims_of(HeaderTexts(body_part="KNEE", laterality="R", modality="DX", protocols=("QX7Z",)), SECRET)

    assert Claims.from_json(json.loads(json.dumps(claims.to_json()))) == claims
    with pytest.raises(KeyError):
        Claims.from_json({"claims": []})


def test_a_patient_in_a_description_leaves_no_trace() -> None:
    def name_the_patient(ds: Dataset) -> None:
        ds.BodyPartExamined = "KNEE"
        ds.StudyDescription = "Knie re. von Meierhofer, Anselm geb. 31.01.1970"
        ds.SeriesDescription = ds.ProtocolName = "MEIERHOFER^ANSELM"
        ds.StationName = "MEIERHOFER"

    radiograph = read_radiograph(edited("patient", name_the_patient))
    claims = claims_of(radiograph.texts, SECRET)
    written = json.dumps(claims.to_json())

    assert Claim("study description", "region", ("knee",)) in claims.claims
    for word in ("meier", "hofer", "anselm", "1970", "von"):
        assert word not in (written + repr(radiograph.texts) + repr(claims)).lower()
    terms = {term for one in claims.claims for term in one.terms}
    assert all(is_code(term) or term in REGION_TERMS or term in VIEW_TERMS for term in terms)
    assert {one.field for one in claims.claims} <= set(FIELDS)
