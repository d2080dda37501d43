"""What an image shows, as attributes of DICOM."""

import pytest
from pydicom.dataset import Dataset

from mskmodel.dicom.view_attributes import view_attributes
from mskmodel.labels import BY_KEY, Label


def code(sequence: list[Dataset]) -> str:
    (item,) = sequence
    return str(item.CodeValue)


def test_a_label_replaces_what_the_header_says_of_region_view_and_side() -> None:
    ds = Dataset()
    ds.BodyPartExamined, ds.ViewPosition, ds.SeriesDescription = "LEG", "AP", "left lower leg"
    ds.update(view_attributes(BY_KEY["knee_lateral"], "R", "DX"))
    assert (ds.BodyPartExamined, ds.ViewPosition, ds.SeriesDescription) == ("KNEE", "LL", "Knee lateral, right")
    assert (code(ds.AnatomicRegionSequence), code(ds.ViewCodeSequence)) == ("72696002", "399067008")
    assert code(ds.AnatomicRegionSequence[0].AnatomicRegionModifierSequence) == "24028007"
    assert ds.ImageLaterality == "R"


def test_a_computed_radiograph_names_its_side_in_its_series_and_has_no_word_for_both() -> None:
    assert view_attributes(BY_KEY["knee_ap"], "L", "CR").Laterality == "L"
    assert "ImageLaterality" not in view_attributes(BY_KEY["knee_ap"], "L", "CR")
    assert view_attributes(BY_KEY["knee_ap"], "B", "CR").Laterality is None


@pytest.mark.parametrize("modality", ["CR", "DX"])
def test_an_unknown_side_and_that_of_an_unpaired_part_replace_nothing(modality: str) -> None:
    for ds in (view_attributes(BY_KEY["knee_ap"], "", modality), view_attributes(BY_KEY["pelvis_ap"], "L", modality)):
        assert not {"Laterality", "ImageLaterality"} & set(ds.dir())
        assert "AnatomicRegionModifierSequence" not in ds.AnatomicRegionSequence[0]


def test_a_label_that_names_no_view_leaves_the_view_of_the_header() -> None:
    assert not {"ViewPosition", "ViewCodeSequence"} & set(view_attributes(BY_KEY["wrist"], "", "CR").dir())


def test_a_view_without_a_code_takes_away_the_code_of_another_view() -> None:
    assert view_attributes(BY_KEY["pelvis_frog"], "", "DX").ViewCodeSequence == []


def test_a_description_is_a_long_string_whatever_a_site_calls_its_label() -> None:
    own = Label("own", "A\\B\n" + "x" * 80, "knee", "", "KNEE", "", None, None)
    said = view_attributes(own, "", "CR").SeriesDescription
    assert said == "A B " + "x" * 60
