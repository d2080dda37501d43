"""What the index keeps of a header above its instance: nothing that could be a person's own words."""

from dataclasses import replace

import pytest

from workers.pacs import Above
from workers.records.hierarchy import NOBODY, Hierarchy, issuer_hash

KEY = b"k" * 32
ABOVE = Above(
    series="series",
    study="study",
    patient="patient",
    sop_instance="1.2.3",
    series_uid="1.2",
    study_uid="1.1",
    modality="CR",
    study_date="20260102",
    study_time="030405.678",
)


def of(above: Above) -> Hierarchy:
    return Hierarchy.from_orthanc(above, "", KEY)


@pytest.mark.parametrize(
    ("date", "time", "moment"),
    [
        ("20260102", "030405.678", "2026-01-02T03:04:05"),
        ("20260102", "0304", "2026-01-02T03:04:00"),
        ("20260102", "03", "2026-01-02T03:00:00"),
        ("20260102", "", "2026-01-02"),
        ("20260102", "noon", "2026-01-02"),
        ("20260132", "0304", None),
        ("2026.01.02", "", None),
        ("", "030405", None),
    ],
)
def test_a_moment_is_as_exact_as_the_header(date: str, time: str, moment: str | None) -> None:
    assert of(replace(ABOVE, study_date=date, study_time=time)).studied_at == moment


def test_words_in_place_of_uids_and_of_a_modality_are_left_out() -> None:
    odd = of(replace(ABOVE, study_uid="Doe^John", series_uid="1" * 65, sop_instance="", modality="Doe^John"))
    assert (odd.study_uid, odd.series_uid, odd.sop_instance, odd.modality) == (None, None, None, "other")


def test_a_patient_is_the_same_in_all_studies_unless_nobody_is_named() -> None:
    other = replace(ABOVE, study="another")
    assert of(ABOVE).patient == of(other).patient != of(replace(ABOVE, patient="someone")).patient
    assert of(replace(ABOVE, patient=NOBODY)).patient != of(replace(other, patient=NOBODY)).patient


def test_an_issuer_is_kept_as_a_hash_with_a_key() -> None:
    assert issuer_hash("", KEY) == ""
    assert "HOSPITAL" not in issuer_hash("HOSPITAL", KEY) != issuer_hash("HOSPITAL", b"other")
