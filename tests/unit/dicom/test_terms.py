"""Terms of a DICOM header: known ones are kept, and no other text is."""

import pytest
from pydicom import uid

from mskmodel.dicom import terms
from mskmodel.dicom.codes import REGIONS, VIEWS
from mskmodel.phantoms.claims import named


@pytest.mark.parametrize("text", ["KNEE", "Knee", " knee ", "KNEE_"])
def test_a_known_body_part_is_told_in_the_standard_s_writing(text: str) -> None:
    assert terms.body_part(text) == "KNEE"
    assert terms.body_part("chest abdomen") == "CHESTABDOMEN"


def test_all_that_has_a_code_is_a_known_term() -> None:
    assert [terms.body_part(part) for part in REGIONS] == list(REGIONS)
    assert [terms.view_position(view) for view in VIEWS] == list(VIEWS)
    assert terms.view_position(named("patella")[1]) == "SKYLINE"


@pytest.mark.parametrize("term", [terms.body_part, terms.view_position, terms.laterality, terms.modality])
def test_other_text_is_other_and_none_is_none(term: object) -> None:
    assert callable(term)
    assert [term(text) for text in ("DOE^JOHN", "KNEE OF J DOE", "19700131", "")] == ["other", "other", "other", ""]


def test_a_uid_is_named_only_if_the_standard_has_it() -> None:
    assert terms.uid_name(uid.CTImageStorage) == "CT Image Storage"
    for text in (f"{uid.CTImageStorage}.19700131", "1.2.826.0.1.19700131", "DOE^JOHN", "CT Image Storage", ""):
        assert terms.uid_name(text) == "one that the DICOM standard does not name"
