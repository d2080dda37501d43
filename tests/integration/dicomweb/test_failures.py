"""Nothing wrong passes for right: hostile requests, lost connections, absent servers, mixed patients."""

import http.client
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from pydicom import Dataset

from tests.access_site import MACHINE_TOKEN, bearer
from tests.dicomweb_site import DicomWebSite, dicomweb_site
from tests.waiting import until
from workers.access.accounts import find_account
from workers.access.role import Role

#: Far more than sockets and buffers hold on the way.
LARGE = 96 * 2**20


def study_of(site: DicomWebSite) -> str:
    return str(site.rows("studies")[0]["0020000D"]["Value"][0])


def large(ds: Dataset) -> None:
    ds.Rows, ds.Columns = 6000, LARGE // 12_000
    ds.PixelData = np.zeros(LARGE // 2, np.uint16).tobytes()


@pytest.fixture
def own_site(tmp_path: Path) -> Iterator[DicomWebSite]:
    """One to break."""
    with dicomweb_site(tmp_path) as site:
        yield site


@pytest.mark.parametrize(
    "path",
    [
        "/dicom-web/../instances",
        "/dicom-web/%2e%2e/instances",
        "/dicom-web/..%2finstances",
        "/dicom-web//instances",
        "/dicom-web/studies/..%2f..%2fsystem",
        "/dicom-web/studies/1.2/..%2f..%2f..%2fsystem",
        "/dicom-web/studies/%2e%2e/%2e%2e/system",
        "/dicom-web/studies\\..\\..\\system",
        "/dicom-web/servers",
        "/dicom-web/app/client/index.html",
        "/dicom-web/studies/1.2/..;/system",
        "/dicom-web/system",
        "/dicom-web/%00",
        "/dicom-web/studies/1.2%0d%0aX-Header:%20x",
        "/dicom-web",
        "/dicom-web/",
    ],
)
def test_nothing_else_of_orthanc_can_be_reached(site: DicomWebSite, path: str) -> None:
    site.store("hostile")
    connection = http.client.HTTPConnection(site.client.base_url.host, site.client.base_url.port or 80)
    connection.putrequest("GET", path, skip_accept_encoding=True)  # as it is written, with nothing put right
    for name, value in bearer(MACHINE_TOKEN).items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    text = answer.read()
    assert answer.status in (307, 400, 404), text
    assert b"Version" not in text and b"ParentSeries" not in text and site.server.url.encode() not in text
    connection.close()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_can_be_changed(site: DicomWebSite, method: str) -> None:
    instance = site.store("kept")
    for path in ("studies", f"studies/{study_of(site)}", "instances", "servers"):
        assert site.client.request(method, f"/dicom-web/{path}", content=b"x").status_code == 405
    assert site.orthanc.has(instance)


def test_only_who_may_see_names_gets_anything(site: DicomWebSite) -> None:
    site.store("secret")
    with httpx.Client(base_url=site.client.base_url) as stranger:
        for path in ("studies", f"studies/{study_of(site)}/metadata", "nonsense"):
            assert stranger.get(f"/dicom-web/{path}").status_code == 401
            for name, role in (("vera", Role.VIEWER), ("rita", Role.REVIEWER), ("boss", Role.ADMIN)):
                answer = stranger.get(f"/dicom-web/{path}", headers=bearer(token(site, name, role)))
                allowed = 404 if path == "nonsense" else 200
                assert answer.status_code == (allowed if role is Role.ADMIN else 403)


def token(site: DicomWebSite, name: str, role: Role) -> str:
    with site.access.records.reading() as connection:
        known = find_account(connection, name)
    if known is None:
        site.access.add(name, role)
    return site.access.token(name, role)


def test_a_study_of_two_patients_is_refused(site: DicomWebSite) -> None:
    def shared(patient: str) -> str:
        def change(ds: Dataset) -> None:
            ds.StudyInstanceUID, ds.PatientID, ds.PatientName = "1.2.9", patient, f"Name^{patient}"

        return site.store(patient, change)

    shared("A")
    assert site.get("studies/1.2.9/metadata").status_code == 200
    shared("B")
    site.follow()
    instance = "studies/1.2.9/series/1.2/instances/1.3"
    paths = ("studies/1.2.9", "studies/1.2.9/metadata", "studies/1.2.9/series", "studies?StudyInstanceUID=1.2.9")
    for path in (*paths, "series?StudyInstanceUID=1.2.9", "series?0020000D=1.2.8,1.2.9", f"{instance}/frames/1"):
        answer = site.get(path)
        assert answer.status_code == 409 and "several patients" in answer.json()["detail"], path
        assert "Name" not in answer.text
    assert {row["00100020"]["Value"][0] for row in site.rows("studies")} == {"A", "B"}


def test_what_was_deleted_is_gone(site: DicomWebSite) -> None:
    instance = site.store("deleted")
    site.label(instance, "knee_ap")
    site.follow()
    (row,) = site.rows("instances")
    path = row["00081190"]["Value"][0].partition("/dicom-web/")[2]
    study, series = (row[tag]["Value"][0] for tag in ("0020000D", "0020000E"))
    site.empty()  # and the index does not know yet
    for each in (path, f"{path}/metadata", f"{path}/frames/1", f"{path}/rendered", f"studies/{study}"):
        assert site.get(each).status_code == 404, each
    assert site.get(f"studies/{study}/series/{series}/metadata").status_code == 404
    assert site.rows("instances", BodyPartExamined="KNEE") == []


def test_what_the_plugin_refuses_is_refused(site: DicomWebSite) -> None:
    site.store("refused")
    (row,) = site.rows("instances")
    path = row["00081190"]["Value"][0].partition("/dicom-web/")[2]
    study = row["0020000D"]["Value"][0]
    assert site.get(f"{path}/frames/9").status_code == 400
    assert site.get(f"{path}/frames/1", headers={"Accept": "image/x-nonsense"}).status_code == 400
    assert site.get(f"studies/{study}/series/1.2/metadata").status_code == 404
    if site.orthanc.system().version.startswith("1.10."):  # Debian bookworm's plugin makes none
        assert site.get(f"{path}/thumbnail").status_code == 404


def test_without_the_plugin_it_is_said_what_to_install(tmp_path: Path) -> None:
    nothing = tmp_path / "no-plugin"
    nothing.mkdir()
    with dicomweb_site(tmp_path, environment={"MSK_ORTHANC_DICOMWEB_PLUGIN": str(nothing)}) as site:
        site.store("lonely")
        answer = site.get("studies")
        assert answer.status_code == 501 and "orthanc-dicomweb" in answer.json()["detail"]
        assert site.client.get("/healthz").status_code == 200


def test_while_orthanc_is_away_it_is_said(own_site: DicomWebSite) -> None:
    own_site.store("away")
    study = study_of(own_site)
    own_site.server.kill()
    for path in ("studies", "series?BodyPartExamined=KNEE", f"studies/{study}/metadata", f"studies/{study}"):
        answer = own_site.get(path)
        assert answer.status_code == 503 and "Retry-After" in answer.headers, path
        assert str(own_site.server.http_port) not in answer.text
    own_site.server.start()
    assert own_site.get("studies").status_code == 200


def test_no_part_passes_for_the_whole_when_orthanc_dies(own_site: DicomWebSite) -> None:
    own_site.store("large", large)
    path = f"studies/{study_of(own_site)}"
    with pytest.raises(httpx.RemoteProtocolError), own_site.client.stream("GET", f"/dicom-web/{path}") as answer:
        assert answer.status_code == 200
        pieces = answer.iter_raw(65_536)
        next(pieces)
        own_site.server.kill()
        for _ in pieces:
            pass


def test_clients_that_hang_up_keep_nothing(own_site: DicomWebSite) -> None:
    """Many more of them than answers go on at once."""
    own_site.store("large", large)
    path = f"/dicom-web/studies/{study_of(own_site)}"
    address = (own_site.client.base_url.host, own_site.client.base_url.port)
    request = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {MACHINE_TOKEN}\r\n\r\n".encode()
    for _ in range(60):
        with socket.create_connection(address) as connection:
            connection.sendall(request)
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
    until(lambda: own_site.get("studies").status_code == 200)
    answer = own_site.get(path.removeprefix("/dicom-web/"))
    assert len(answer.content) > LARGE


def test_two_hundred_at_once_are_answered(site: DicomWebSite) -> None:
    for name in ("one", "two"):
        site.label(site.store(name), "ankle_ap")
    site.follow()
    path = site.rows("instances")[0]["00081190"]["Value"][0].partition("/dicom-web/")[2]
    paths = [f"{path}/frames/1", f"{path}/metadata", "series?BodyPartExamined=ANKLE", "instances"] * 50
    expected = {each: site.get(each) for each in paths[:4]}
    limits = httpx.Limits(max_connections=200)
    with (
        httpx.Client(base_url=site.url, headers=bearer(MACHINE_TOKEN), timeout=120, limits=limits) as client,
        ThreadPoolExecutor(200) as pool,
    ):
        answers = list(pool.map(client.get, paths))
    for asked, answer in zip(paths, answers, strict=True):
        assert answer.status_code == 200
        assert len(answer.content) == len(expected[asked].content)


def test_memory_stays_flat_for_pixels(own_site: DicomWebSite) -> None:
    own_site.store("large", large)
    path = f"/dicom-web/studies/{study_of(own_site)}"
    pid = gateway_pid(own_site)
    before = peak_memory(pid)
    for _ in range(3):
        with own_site.client.stream("GET", path) as answer:
            assert sum(map(len, answer.iter_raw())) > LARGE
    assert peak_memory(pid) - before < LARGE / 3


def gateway_pid(site: DicomWebSite) -> int:
    """The process that listens on the gateway's port."""
    port = f"{site.client.base_url.port:04X}"
    (inode,) = {
        fields[9]
        for fields in map(str.split, Path("/proc/net/tcp").read_text().splitlines()[1:])
        if fields[1].endswith(f":{port}") and fields[3] == "0A"
    }
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if str(link.readlink()) == f"socket:[{inode}]":
                return int(link.parts[2])
        except OSError:  # ended, or somebody else's
            continue
    raise AssertionError("nobody listens")


def peak_memory(pid: int) -> int:
    """In bytes."""
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024
