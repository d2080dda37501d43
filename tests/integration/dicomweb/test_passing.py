"""What a real client gets from us is what it gets from Orthanc alone, but for the attributes that labels tell."""

import re
from io import BytesIO
from typing import Any

import httpx
import pytest
import requests
from dicomweb_client.web import DICOMwebClient
from pydicom import Dataset, dcmread

from tests.access_site import MACHINE_TOKEN, bearer
from tests.dicom_files import _make_multi_frame
from tests.dicomweb_site import DicomWebSite

#: What may differ where there is a label: the attributes, and the sequences that name them.
TOLD = {"00180015", "00082218", "00185101", "00540220", "00200060", "00200062", "0008103E"}
#: The plugin 1.7 does not understand what the client accepts by itself.
OCTETS = ("application/octet-stream",)
NAMED = {"0018A001", "04000561"}


def leg(ds: Dataset) -> None:
    ds.BodyPartExamined, ds.SeriesDescription, ds.ViewPosition = "LEG", "Unterschenkel", "LL"


def umlauts(ds: Dataset) -> None:
    ds.SpecificCharacterSet, ds.PatientName, ds.SeriesDescription = (
        "ISO_IR 100",
        "Müller^Jörg",
        "Kniegelenk seitl. übern.",
    )


def kanji(ds: Dataset) -> None:
    ds.SpecificCharacterSet = ["", "ISO 2022 IR 87"]
    ds.PatientName = "Yamada^Tarou=山田^太郎=やまだ^たろう"


@pytest.fixture
def filled(site: DicomWebSite) -> DicomWebSite:
    """Two labelled instances, one that a person calls none, and some without a label."""
    site.label(site.store("labelled", leg), "knee_ap", "R")
    site.say(site.store("said", umlauts), "ankle_lateral")
    site.say(site.store("none", leg), None)
    for name, change in (("plain", lambda _: None), ("kanji", kanji), ("frames", _make_multi_frame)):
        site.store(name, change)
    site.store("jpeg", transfer_syntax="1.2.840.10008.1.2.4.70")
    site.follow()
    return site


def clients(site: DicomWebSite) -> tuple[DICOMwebClient, DICOMwebClient]:
    """Of ours, and of Orthanc's alone."""
    ours, own = requests.Session(), requests.Session()
    ours.headers.update(bearer(MACHINE_TOKEN))
    own.auth = (site.server.user, site.server.password)
    return DICOMwebClient(site.url, session=ours), DICOMwebClient(site.own_url, session=own)


def by_uid(site: DicomWebSite, rows: list[dict[str, Any]], tag: str = "00080018") -> dict[str, dict[str, Any]]:
    """The rows by a UID, with the one address in place of the other."""
    return {row[tag]["Value"][0]: here(site, row) for row in rows}


def here(site: DicomWebSite, row: Any) -> Any:
    if isinstance(row, dict):
        return {name: here(site, each) for name, each in row.items()}
    if isinstance(row, list):
        return [here(site, each) for each in row]
    return row.replace(site.server.url, site.url.removesuffix("/dicom-web")) if isinstance(row, str) else row


def differing(one: dict[str, Any], other: dict[str, Any]) -> set[str]:
    return {tag for tag in one.keys() | other.keys() if one.get(tag) != other.get(tag)}


@pytest.mark.parametrize(
    ("search", "uid"),
    [
        ("search_for_studies", "0020000D"),
        ("search_for_series", "0020000E"),
        ("search_for_instances", "00080018"),
    ],
)
def test_searches_find_the_same_at_each_level(filled: DicomWebSite, search: str, uid: str) -> None:
    ours, own = (by_uid(filled, getattr(client, search)(), uid) for client in clients(filled))
    assert ours.keys() == own.keys() and len(ours) == 7
    changed = [differing(ours[each], own[each]) for each in ours]
    assert all(each <= TOLD | {"0018A001"} for each in changed)
    assert sum(map(bool, changed)) == (0 if search == "search_for_studies" else 2)


def test_metadata_are_the_same_but_for_what_is_named(filled: DicomWebSite) -> None:
    ours, own = clients(filled)
    changed = {}
    for row in own.search_for_instances():
        study, series, instance = (row[tag]["Value"][0] for tag in ("0020000D", "0020000E", "00080018"))
        told = ours.retrieve_instance_metadata(study, series, instance)
        original = here(filled, own.retrieve_instance_metadata(study, series, instance))
        changed[instance] = differing(told, original)
        assert by_uid(filled, ours.retrieve_study_metadata(study)) == {instance: told}
        assert by_uid(filled, ours.retrieve_series_metadata(study, series)) == {instance: told}
    assert len(changed) == 7
    assert sorted(map(bool, changed.values())) == [False] * 5 + [True] * 2
    assert all(not each or NAMED < each <= TOLD | NAMED for each in changed.values())


def test_files_frames_and_large_values_are_equal(filled: DicomWebSite) -> None:
    ours, own = clients(filled)
    multi_frame = 0
    for row in own.search_for_instances(fields=["NumberOfFrames"]):
        uids = tuple(row[tag]["Value"][0] for tag in ("0020000D", "0020000E", "00080018"))
        frames = list(range(1, 1 + int(row.get("00280008", {}).get("Value", [1])[0])))
        multi_frame += len(frames) > 1
        assert written(ours.retrieve_instance(*uids)) == written(own.retrieve_instance(*uids))
        found = ours.retrieve_instance_frames(*uids, frames, OCTETS)
        assert found == own.retrieve_instance_frames(*uids, frames, OCTETS) and len(found) == len(frames)
        bulk = "studies/{}/series/{}/instances/{}/bulk/7fe00010".format(*uids)
        value = ours.retrieve_bulkdata(f"{filled.url}/{bulk}", OCTETS)
        assert value == own.retrieve_bulkdata(f"{filled.own_url}/{bulk}", OCTETS) and value[0]
    assert multi_frame == 1


def written(ds: Dataset) -> Any:
    return ds.to_json_dict(), ds.file_meta.to_json_dict(), ds.PixelData


def test_a_file_goes_through_byte_by_byte(site: DicomWebSite) -> None:
    instance = site.store("bytes", leg)
    site.label(instance, "knee_ap")
    site.follow()
    (row,) = site.rows("instances")
    path = row["00081190"]["Value"][0].partition("/dicom-web/")[2]
    answer = site.get(path, headers={"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'})
    assert site.orthanc.file(instance, 10**8) in answer.content
    assert dcmread_body_part(site, instance) == "LEG"


def dcmread_body_part(site: DicomWebSite, instance: str) -> str:
    return str(dcmread(BytesIO(site.orthanc.file(instance, 10**8))).BodyPartExamined)


def test_pictures_are_those_of_orthanc(filled: DicomWebSite) -> None:
    row = filled.rows("instances")[0]
    path = row["00081190"]["Value"][0].partition("/dicom-web/")[2]
    for wanted in ("image/jpeg", "image/png"):
        answer = filled.get(f"{path}/rendered", headers={"Accept": wanted})
        own = httpx.get(
            f"{filled.own_url}/{path}/rendered",
            headers={"Accept": wanted},
            auth=(filled.server.user, filled.server.password),
        )
        assert (answer.headers["content-type"], answer.content) == (wanted, own.content)


def test_an_answer_names_neither_orthanc_nor_its_password(filled: DicomWebSite) -> None:
    row = filled.rows("instances")[0]
    path = row["00081190"]["Value"][0].partition("/dicom-web/")[2]
    place = re.compile(rf":{filled.server.http_port}\b|{re.escape(filled.server.password)}")
    paths = ["studies", "series", "instances", f"{path}/metadata", path, f"{path}/frames/1", f"{path}/frames/9"]
    for each in (*paths, f"{path}/bulk/7fe00010", "studies/1.2.3/metadata", "studies?limit=x", f"{path}/thumbnail"):
        answer = filled.get(each)
        assert not place.search(answer.content.decode("latin-1")), each
        assert not place.search(str(answer.headers)), each
        assert answer.headers.get("server") == "uvicorn"
        assert "keep-alive" not in answer.headers and "set-cookie" not in answer.headers


def test_addresses_in_answers_lead_to_where_the_client_asked(site: DicomWebSite) -> None:
    site.store("address")
    named = site.get("studies", headers={"Host": "pacs.example:8443"}).json()
    assert named[0]["00081190"]["Value"][0].startswith("http://pacs.example:8443/dicom-web/studies/")
    hostile = site.get("studies", headers={"Host": 'x";proto=https, for=y'})
    assert hostile.status_code == 400


def test_head_says_what_get_would(filled: DicomWebSite) -> None:
    for path in ("studies", "studies/1.2.3"):
        get, head = filled.get(path), filled.client.head(f"/dicom-web/{path}")
        assert (head.status_code, head.headers["content-type"]) == (get.status_code, get.headers["content-type"])
        assert head.content == b""


def test_other_languages_than_json_are_refused_for_attributes(site: DicomWebSite) -> None:
    site.store("xml")
    for wanted in ("application/dicom+xml", 'multipart/related; type="application/dicom+xml"', "text/html"):
        assert site.get("studies", headers={"Accept": wanted}).status_code == 406
    for wanted in ("*/*", "application/json", "application/dicom+json", "text/html, application/*;q=0.5"):
        assert site.get("studies", headers={"Accept": wanted}).headers["content-type"] == "application/dicom+json"
