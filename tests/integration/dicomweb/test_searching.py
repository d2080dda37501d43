"""Searches find what labels say, at each level, and no longer what headers say in their place."""

import pytest
from pydicom import Dataset
from pydicom.uid import generate_uid

from tests.dicomweb_site import MODEL, DicomWebSite

BODY_PART, DESCRIPTION, VIEW_POSITION = "00180015", "0008103E", "00185101"
EQUIPMENT, ORIGINALS = "0018A001", "04000561"
INSTANCE, SERIES, STUDY = "00080018", "0020000E", "0020000D"
LEVELS = ("series", "instances")


def leg(ds: Dataset) -> None:
    ds.BodyPartExamined, ds.SeriesDescription, ds.ViewPosition = "LEG", "Unterschenkel", "LL"


def values(rows: list[dict], tag: str) -> list[str]:
    return [row[tag]["Value"][0] if row.get(tag, {}).get("Value") else "" for row in rows]


def store(site: DicomWebSite, *names: str, study: str, series: str = "", patient: str = "P") -> list[str]:
    """Store legs of one study; without a series, each is one of its own."""

    def change(ds: Dataset) -> None:
        leg(ds)
        ds.StudyInstanceUID, ds.PatientID = study, patient
        ds.SeriesInstanceUID = series or ds.SeriesInstanceUID

    return [site.store(name, change) for name in names]


@pytest.fixture
def knees(site: DicomWebSite) -> DicomWebSite:
    """A study of two legs that are knees, one by a model and one by a person; a leg without a label; and a knee."""
    first, second = store(site, "first", "second", study="1.2.1")
    site.label(first, "knee_ap", "R")
    site.say(second, "knee_lateral")
    store(site, "unlabelled", study="1.2.2")
    site.store("knee")
    site.follow()
    return site


@pytest.mark.parametrize("level", LEVELS)
def test_a_film_is_found_by_its_label_and_not_by_its_header(knees: DicomWebSite, level: str) -> None:
    found = knees.rows(level, BodyPartExamined="KNEE")
    assert values(found, BODY_PART) == ["KNEE"] * 3
    legs = knees.rows(level, BodyPartExamined="LEG")
    assert values(legs, BODY_PART) == ["LEG"] and values(legs, STUDY) == ["1.2.2"]
    uid = SERIES if level == "series" else INSTANCE
    assert len({*values(found, uid), *values(legs, uid)}) == 4


def test_a_study_is_found_if_one_of_its_instances_is(knees: DicomWebSite) -> None:
    # Orthanc 1.13 finds those by their headers too, and 1.10 does not.
    assert "1.2.1" in values(knees.rows("studies", BodyPartExamined="KNEE"), STUDY)
    assert values(knees.rows("studies", ViewPosition="AP", BodyPartExamined="KNEE"), STUDY) == ["1.2.1"]
    assert "1.2.1" not in values(knees.rows("studies", BodyPartExamined="LEG"), STUDY)
    assert knees.rows("studies", ViewPosition="AP", BodyPartExamined="ANKLE") == []


@pytest.mark.parametrize(
    ("key", "value", "count"),
    [
        ("BodyPartExamined", "kn?e", 3),
        ("BodyPartExamined", "L*", 1),
        ("BodyPartExamined", "KNEE,LEG", 4),
        ("00180015", "LEG", 1),
        ("SeriesDescription", "Knee*", 2),
        ("SeriesDescription", "Unter*", 1),
        ("ViewPosition", "AP", 1),
        ("ViewPosition", "LL", 3),
        ("AnatomicRegionSequence.CodeValue", "72696002", 2),
        ("ViewCodeSequence.CodeValue", "399348003", 1),
    ],
)
@pytest.mark.parametrize("level", LEVELS)
def test_keys_match_what_is_told(knees: DicomWebSite, level: str, key: str, value: str, count: int) -> None:
    assert len(knees.rows(level, **{key: value})) == count


def test_other_keys_count_beside_those(knees: DicomWebSite) -> None:
    assert len(knees.rows("series", BodyPartExamined="KNEE", StudyInstanceUID="1.2.1")) == 2
    assert len(knees.rows("studies/1.2.1/series", BodyPartExamined="KNEE")) == 2
    assert knees.rows("studies/1.2.2/instances", BodyPartExamined="KNEE") == []
    assert knees.rows("series", BodyPartExamined="KNEE", StudyInstanceUID="1.2.2") == []
    assert knees.rows("studies/1.2.1/series", BodyPartExamined="KNEE", StudyInstanceUID="1.2.2") == []
    assert len(knees.rows("instances", BodyPartExamined="KNEE", PatientID="P")) == 2
    assert knees.rows("instances", BodyPartExamined="KNEE", PatientID="Q") == []
    (one,) = values(knees.rows("instances", BodyPartExamined="LEG"), INSTANCE)
    assert knees.rows("instances", BodyPartExamined="KNEE", SOPInstanceUID=one) == []


@pytest.mark.parametrize("level", LEVELS)
def test_pages_of_a_search_are_the_whole_of_it(knees: DicomWebSite, level: str) -> None:
    uid = SERIES if level == "series" else INSTANCE
    whole = values(knees.rows(level, BodyPartExamined="*E*"), uid)
    assert len(whole) == 4
    for limit in (1, 2, 3):
        pages = [knees.rows(level, BodyPartExamined="*E*", limit=str(limit), offset=str(n)) for n in range(0, 6, limit)]
        assert [each for page in pages for each in values(page, uid)] == whole
        assert all(len(page) <= limit for page in pages)


def test_fields_may_be_asked_for(knees: DicomWebSite) -> None:
    (found,) = knees.rows("studies", StudyInstanceUID="1.2.1", includefield="BodyPartExamined,ViewPosition")
    assert found[BODY_PART]["Value"] == ["KNEE"] and found[VIEW_POSITION] == {"vr": "CS"}
    (found,) = knees.rows("studies", StudyInstanceUID="1.2.1", includefield="all")
    assert found[BODY_PART]["Value"] == ["KNEE"] and found[DESCRIPTION]["Value"] == ["Knee AP, right; Knee lateral"]
    found_by = knees.rows("instances", BodyPartExamined="KNEE", includefield="BitsStored")
    assert values(found_by, "00280101") == [12] * 3


def test_what_is_told_is_named(knees: DicomWebSite) -> None:
    by_view = {row[VIEW_POSITION]["Value"][0]: row for row in knees.rows("studies/1.2.1/metadata")}
    of_model, of_person = (by_view[view][EQUIPMENT]["Value"][0] for view in ("AP", "LL"))
    assert of_model["0040A170"]["Value"][0]["00080100"]["Value"] == ["109103"]
    assert MODEL in of_model["00181020"]["Value"] and f"model {MODEL}" in of_model["0018A003"]["Value"][0]
    said = of_person["0018A003"]["Value"][0]
    assert "a person" in said and MODEL not in said and "anna" not in str(by_view)
    assert "Body Part Examined" in said and "Series Description" in said
    assert "View Position" not in said  # the header had the same
    (originals,) = by_view["AP"][ORIGINALS]["Value"]
    assert originals["04000550"]["Value"][0][BODY_PART]["Value"] == ["LEG"]
    assert originals["04000550"]["Value"][0][DESCRIPTION]["Value"] == ["Unterschenkel"]
    (row,) = knees.rows("series", StudyInstanceUID="1.2.1", ViewPosition="AP")
    assert row[EQUIPMENT]["Value"][0]["00081090"]["Value"] == ["msk-labeller"]


def test_metadata_read_by_pydicom_have_the_values(knees: DicomWebSite) -> None:
    for row in knees.rows("studies/1.2.1/metadata"):
        ds = Dataset.from_json(row, bulk_data_uri_handler=lambda *_: b"")
        assert ds.BodyPartExamined == "KNEE" and ds.ContributingEquipmentSequence[0].ManufacturerModelName
        assert ds.OriginalAttributesSequence[0].ModifiedAttributesSequence[0].BodyPartExamined == "LEG"
        assert ds.OriginalAttributesSequence[0].AttributeModificationDateTime


def test_a_series_whose_instances_differ_says_so(site: DicomWebSite) -> None:
    first, second, third = store(site, "a", "b", "c", study="1.2.3", series="1.2.3.1")
    site.label(first, "knee_ap")
    site.label(second, "knee_lateral")
    site.label(third, "knee_lateral")
    site.follow()
    (row,) = site.rows("series")
    assert row[BODY_PART]["Value"] == ["KNEE"] and row[DESCRIPTION]["Value"] == ["Knee AP; Knee lateral"]
    site.label(third, "ankle_ap")
    site.follow()
    (row,) = site.rows("series")
    assert row[BODY_PART] == {"vr": "CS"}
    assert row[DESCRIPTION]["Value"] == ["Ankle AP; Knee AP; Knee lateral"]
    for region in ("KNEE", "ANKLE"):
        assert values(site.rows("series", BodyPartExamined=region), SERIES) == ["1.2.3.1"]
    assert site.rows("series", BodyPartExamined="LEG") == []
    told = site.rows("studies/1.2.3/metadata")
    assert sorted(values(told, DESCRIPTION)) == ["Ankle AP", "Knee AP", "Knee lateral"]


def test_a_corrected_label_is_told_and_a_withdrawn_one_no_longer(site: DicomWebSite) -> None:
    (instance,) = store(site, "corrected", study="1.2.4")
    before = site.rows("instances")
    site.say(instance, "knee_ap")
    site.follow()
    assert values(site.rows("instances"), BODY_PART) == ["KNEE"]
    site.say(instance, "elbow_ap")
    site.follow()
    assert site.rows("instances", BodyPartExamined="KNEE") == []
    assert values(site.rows("instances", BodyPartExamined="ELBOW"), DESCRIPTION) == ["Elbow AP"]
    site.say(instance, None)
    site.follow()
    assert site.rows("instances") == before
    forwarded = {"Forwarded": f"host={site.client.base_url.netloc.decode()}"}
    assert site.rows("studies/1.2.4/metadata") == site.own("studies/1.2.4/metadata", headers=forwarded).json()


def test_the_side_that_a_person_says_counts_before_the_header(site: DicomWebSite) -> None:
    (instance,) = store(site, "side", study="1.2.5")  # right by its header
    site.say(instance, "knee_ap", "L")
    site.follow()
    (told,) = site.rows("studies/1.2.5/metadata")
    assert told["00200062"]["Value"] == ["L"] and told[DESCRIPTION]["Value"] == ["Knee AP, left"]
    assert told["04000561"]["Value"][0]["04000550"]["Value"][0]["00200062"]["Value"] == ["R"]
    assert len(site.rows("instances", ImageLaterality="L")) == 1
    assert site.rows("instances", ImageLaterality="R") == []


@pytest.mark.parametrize("query", ["limit=x", "limit=-1", "offset=1.5"])
def test_numbers_that_are_none_are_refused(site: DicomWebSite, query: str) -> None:
    assert site.get(f"series?BodyPartExamined=KNEE&{query}").status_code == 400
    assert site.get(f"series?{query}").status_code == 400


def test_wildcards_of_uids_are_refused_beside_those_keys(knees: DicomWebSite) -> None:
    for name in ("StudyInstanceUID", "SeriesInstanceUID", "0008,0018"):
        assert knees.get(f"instances?BodyPartExamined=KNEE&{name}=1.2*").status_code == 400
    assert len(knees.rows("instances", BodyPartExamined="KNEE", StudyInstanceUID="1.2.1,1.2.2")) == 2


def test_many_are_found_by_label(site: DicomWebSite) -> None:
    """More than Orthanc is asked for at once."""
    stored = [site.store(generate_uid(), leg) for _ in range(230)]
    for each in stored[:215]:
        site.label(each, "hand_ap")
    site.follow()
    found = site.rows("instances", BodyPartExamined="HAND")
    assert len(set(values(found, INSTANCE))) == len(found) == 215
    assert len(site.rows("instances", BodyPartExamined="LEG", limit="10")) == 10
    assert len(site.rows("instances", BodyPartExamined="LEG", limit="20", offset="10")) == 5
