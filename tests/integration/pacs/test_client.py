"""The client against a real Orthanc, and against servers that misbehave."""

import contextlib
import hashlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from io import BytesIO

import numpy as np
import pytest
import requests
from pydicom import dcmread
from pydicom.dataset import Dataset

from mskmodel.dicom.reading import read_radiograph
from mskmodel.dicom.writing import Header, write_dx
from mskmodel.labels import BY_KEY
from tests import dicom_files
from tests.proxies import DEAD_PROXY
from tests.servers import Orthanc, free_port, running_orthanc
from workers.pacs import (
    OrthancClient,
    OrthancConflict,
    OrthancError,
    OrthancNotFound,
    OrthancRefused,
    OrthancUnavailable,
    TooLarge,
    study_of,
)

NOBODY = "00000000-00000000-00000000-00000000-00000000"


def radiograph(identity: str) -> bytes:
    header = Header(identity=identity, label=BY_KEY["knee_lateral"], laterality="L")
    return write_dx(np.full((64, 48), 7, np.uint16), header=header, bits=12)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with running_orthanc(tmp_path_factory.mktemp("orthanc")) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Orthanc) -> Iterator[OrthancClient]:
    client = OrthancClient(server.url, server.user, server.password)
    yield client
    client.close()


@pytest.fixture
def instance(client: OrthancClient, request: pytest.FixtureRequest) -> str:
    return client.upload(radiograph(request.node.nodeid))


# -- a real Orthanc ----------------------------------------------------------------------------------------


def test_a_file_comes_back_as_it_was_stored(client: OrthancClient) -> None:
    data = radiograph("file")
    instance = client.upload(data)
    assert client.file(instance, max_bytes=len(data)) == data
    assert client.file_identity(instance) == hashlib.md5(data).hexdigest()
    assert client.upload(data) == instance


def test_all_instances_of_a_study_are_described_at_once(client: OrthancClient) -> None:
    files = [dicom_files.edited(f"study {n}", partial(_in_a_study, number=n)) for n in range(3)]
    stored = [client.upload(data) for data in files]
    (study,) = {client.study_of(instance_id) for instance_id in stored}
    client.put_metadata(stored[1], "MskLabel", "knee_ap")
    found = client.study_metadata(study, most=3)
    assert found is not None
    assert {i: metadata.get("MskLabel") for i, metadata in found.items()} == dict.fromkeys(stored) | {
        stored[1]: "knee_ap"
    }
    assert client.study_metadata(study, most=2) is None
    with pytest.raises(OrthancNotFound):
        client.study_metadata(NOBODY, most=3)


def _in_a_study(data: Dataset, number: int) -> None:
    data.StudyInstanceUID, data.SeriesInstanceUID = "2.25.1", f"2.25.1.{number % 2}"


@pytest.mark.parametrize("patient", ["7", "A 7 B", "", "PÄT 7", "7 ", "007\\8"])
def test_the_study_follows_from_the_file_or_nothing_does(client: OrthancClient, patient: str) -> None:
    def change(data: Dataset) -> None:
        data.SpecificCharacterSet, data.PatientID = "ISO_IR 100", patient

    data = dicom_files.edited(f"patient {patient}", change)
    instance = client.upload(data)
    found = study_of(instance, read_radiograph(data).keys)
    assert found == client.study_of(instance) or (found is None and not patient.isascii())


def test_a_file_over_the_limit_is_refused_with_a_reason(client: OrthancClient, instance: str) -> None:
    with pytest.raises(TooLarge, match="the file is larger than"):
        client.file(instance, max_bytes=100)


def test_a_file_that_is_no_dicom_is_refused(client: OrthancClient) -> None:
    with pytest.raises(OrthancRefused):
        client.upload(b"not DICOM")


def test_metadata_is_written_overwritten_and_deleted(client: OrthancClient, instance: str) -> None:
    client.put_metadata(instance, "MskLabel", "knee_lateral")
    client.put_metadata(instance, "MskLabel", "Knie, seitlich: größer als 30°")
    assert client.metadata(instance)["MskLabel"] == "Knie, seitlich: größer als 30°"
    client.delete_metadata(instance, "MskLabel")
    client.delete_metadata(instance, "MskLabel")
    assert "MskLabel" not in client.metadata(instance)


def test_metadata_that_is_not_registered_is_another_error_than_no_instance(
    client: OrthancClient, instance: str
) -> None:
    with pytest.raises(OrthancRefused, match="UserMetadata"):
        client.put_metadata(instance, "NotRegistered", "x")
    with pytest.raises(OrthancNotFound):
        client.put_metadata(NOBODY, "MskLabel", "x")
    with pytest.raises(OrthancNotFound):
        client.metadata(NOBODY)


def test_an_identifier_cannot_lead_to_another_path(client: OrthancClient) -> None:
    with pytest.raises(OrthancNotFound):
        client.metadata("../changes")


def test_a_value_that_somebody_changed_is_not_replaced(client: OrthancClient, instance: str) -> None:
    client.replace_metadata(instance, "MskTruth", None, "first")
    with pytest.raises(OrthancConflict):
        client.replace_metadata(instance, "MskTruth", None, "second")
    with pytest.raises(OrthancConflict):
        client.replace_metadata(instance, "MskTruth", "other", "second")
    client.replace_metadata(instance, "MskTruth", "first", "second")
    assert client.metadata(instance)["MskTruth"] == "second"


def test_no_write_of_six_concurrent_writers_is_lost(client: OrthancClient, instance: str) -> None:
    """Each appends to one list: it reads and replaces until nobody has written in between."""

    def append(person: int) -> None:
        for number in range(3):
            while True:
                old = client.metadata(instance).get("MskTruth")
                history = json.loads(old) if old else []
                try:
                    client.replace_metadata(instance, "MskTruth", old, json.dumps([*history, f"{person}-{number}"]))
                except OrthancConflict:
                    continue
                break

    with ThreadPoolExecutor(6) as people:
        list(people.map(append, range(6)))
    written = json.loads(client.metadata(instance)["MskTruth"])
    assert sorted(written) == sorted(f"{person}-{number}" for person in range(6) for number in range(3))


def test_metadata_of_many_comes_at_once_without_those_that_do_not_exist(client: OrthancClient) -> None:
    instances = [client.upload(radiograph(f"bulk-{number}")) for number in range(5)]
    client.put_metadata(instances[2], "MskLabel", "knee_lateral")
    found = client.metadata_of([*instances, NOBODY])
    assert set(found) == set(instances)
    assert found[instances[2]] == client.metadata(instances[2])
    assert client.metadata_of([]) == {}


def test_study_dates_of_many_come_at_once_without_those_that_do_not_exist(client: OrthancClient) -> None:
    pixels, dates = np.full((64, 48), 7, np.uint16), ["20251224", "20251224", "", "19680229"]
    headers = [Header(identity=f"dated-{n}", study=f"dated-{day}", date=day) for n, day in enumerate(dates)]
    instances = [client.upload(write_dx(pixels, header=header, bits=12)) for header in headers]
    assert client.study_dates([*instances, NOBODY]) == dict(zip(instances, dates, strict=True))
    assert client.study_dates([]) == {}


def test_changes_are_followed_to_their_end(client: OrthancClient) -> None:
    start = client.changes(0, limit=1)
    assert (len(start.rows), start.done) == (1, False)
    instance = client.upload(radiograph("changes"))
    since, kinds = 0, []
    while True:
        page = client.changes(since, limit=7)
        kinds += [(row.kind, row.level) for row in page.rows if row.resource_id == instance]
        since = page.last
        if page.done:
            break
    assert kinds == [("NewInstance", "Instance")]
    after = client.changes(since)
    assert (after.rows, after.last, after.done) == ([], since, True)
    assert client.changes(since + 1000).last < since + 1000


def test_pages_of_instances_cover_all_of_them(client: OrthancClient, instance: str) -> None:
    pages, since = [], 0
    while page := client.instance_ids(since, 3):
        pages += page
        since += len(page)
    assert instance in pages
    assert len(pages) == len(set(pages)) == client.statistics().instances
    assert list(client.metadata_page(2, 3)) == pages[2:5]
    assert client.metadata_page(0, 1)[pages[0]] == client.metadata(pages[0])
    assert client.metadata_page(len(pages), 3) == {}


def test_an_instance_is_found_by_its_uid(client: OrthancClient, instance: str) -> None:
    ds = dcmread(BytesIO(client.file(instance, 1 << 30)), stop_before_pixels=True)
    assert client.lookup(ds.SOPInstanceUID) == instance
    assert client.lookup("1.2.3") is None


def test_a_server_without_labels_is_left_alone(client: OrthancClient, instance: str) -> None:
    system = client.system()
    if system.has_labels:
        pytest.skip(f"Orthanc {system.version} has labels")
    client.set_labels(instance, {"msk-knee-lateral"})


def test_a_wrong_password_is_refused_and_appears_nowhere(server: Orthanc) -> None:
    url = server.url.replace("http://", "http://admin:hunter2@")
    client = OrthancClient(url, "msk", "swordfish")
    with pytest.raises(OrthancRefused, match="wrong user or password") as refused:
        client.system()
    for text in (str(refused.value), repr(client)):
        assert "hunter2" not in text
        assert "swordfish" not in text


def test_many_threads_share_one_client(client: OrthancClient) -> None:
    instances = [client.upload(radiograph(f"thread-{number}")) for number in range(4)]

    def write_and_read(number: int) -> bool:
        instance, value = instances[number % 4], f"value-{number}"
        client.put_metadata(instance, "MskLabel", value)
        return client.metadata(instance)["MskLabel"].startswith("value-")

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(write_and_read, range(80)))


# -- servers that misbehave --------------------------------------------------------------------------------


class Misbehaving:
    """Answers each request on a connection with the next of the given bytes; b"" drops the connection.

    None hangs until the server is closed.
    """

    def __init__(self, *answers: bytes | None) -> None:
        self.requests: list[bytes] = []
        self._answers = list(answers)
        self._closed = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = [self._listener]
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while not self._closed.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            with connection, connection.makefile("rb") as stream:
                while head := self._head(stream.readline):
                    self.requests.append(head)
                    if not self._answer(connection, head, stream.read):
                        break

    def _head(self, readline: Callable[[], bytes]) -> bytes:
        lines = []
        while (line := readline()) not in (b"", b"\r\n"):
            lines.append(line)
        return b"".join(lines)

    def _answer(self, connection: socket.socket, head: bytes, read: Callable[[int], bytes]) -> bool:
        length = [line for line in head.lower().splitlines() if line.startswith(b"content-length:")]
        read(int(length[0].split(b":")[1]) if length else 0)
        answer = self._answers.pop(0)
        if answer is None:
            self._closed.wait()
        else:
            connection.sendall(answer)
        return bool(answer) and b"Connection: close" not in answer

    def close(self) -> None:
        self._closed.set()
        for opened in self._open:
            with contextlib.suppress(OSError):  # the client, or the server itself, was first
                opened.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


def answer(status: str, body: bytes = b"", *headers: str, length: int | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def ok(value: object) -> bytes:
    return answer("200 OK", json.dumps(value).encode())


SYSTEM = ok({"Version": "1.10.1", "DatabaseVersion": 6})
TRUNCATED = answer("200 OK", b'{"half', "Connection: close", length=500)


@pytest.fixture
def misbehaving() -> Iterator[Callable[..., tuple[Misbehaving, OrthancClient]]]:
    started: list[tuple[Misbehaving, OrthancClient]] = []

    def start(*answers: bytes | None) -> tuple[Misbehaving, OrthancClient]:
        server = Misbehaving(*answers)
        client = OrthancClient(server.url, "msk", "swordfish", connect_timeout=1, read_timeout=0.3)
        started.append((server, client))
        return server, client

    yield start
    for server, client in started:
        client.close()
        server.close()


Start = Callable[..., tuple[Misbehaving, OrthancClient]]


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (answer("503 Service Unavailable"), OrthancUnavailable),
        (answer("500 Internal Server Error", b"{}"), OrthancUnavailable),
        (answer("429 Too Many Requests"), OrthancUnavailable),
        (answer("409 Conflict", b"<html>no JSON</html>"), OrthancConflict),
        (answer("412 Precondition Failed"), OrthancConflict),
        (answer("401 Unauthorized"), OrthancRefused),
        (answer("403 Forbidden", b"{}"), OrthancRefused),
        (answer("400 Bad Request"), OrthancRefused),
        (answer("302 Found", b"", "Location: http://127.0.0.1:1/"), OrthancRefused),
        (TRUNCATED, OrthancUnavailable),
        (None, OrthancUnavailable),
    ],
    ids=str,
)
def test_a_failed_write_is_never_reported_as_done_nor_sent_twice(
    misbehaving: Start, bad: bytes | None, error: type[OrthancError]
) -> None:
    server, client = misbehaving(SYSTEM, bad)
    with pytest.raises(error) as raised:
        client.put_metadata(NOBODY, "MskLabel", "knee_ap")
    assert type(raised.value) is error
    assert "swordfish" not in str(raised.value)
    assert len(server.requests) == 2


def test_a_write_that_arrived_cut_off_is_noticed(misbehaving: Start) -> None:
    other = hashlib.md5(b"knee").hexdigest()
    _, client = misbehaving(SYSTEM, answer("200 OK", b"", f'ETag: "0-{other}"'), answer("200 OK", b"knee"))
    with pytest.raises(OrthancUnavailable, match="not stored as it was sent"):
        client.put_metadata(NOBODY, "MskLabel", "knee_ap")


def test_a_write_behind_a_proxy_that_drops_the_etag_is_read_back(misbehaving: Start) -> None:
    server, client = misbehaving(SYSTEM, answer("200 OK"), answer("200 OK", b"knee_ap"))
    client.put_metadata(NOBODY, "MskLabel", "knee_ap")
    assert [request.split()[0] for request in server.requests] == [b"GET", b"PUT", b"GET"]


def test_a_request_is_retried_after_a_dropped_connection_but_a_post_is_not(misbehaving: Start) -> None:
    server, client = misbehaving(b"", SYSTEM, b"", ok({"ID": NOBODY}))
    assert client.system().version == "1.10.1"
    with pytest.raises(OrthancUnavailable):
        client.upload(b"a radiograph")
    assert [request.split()[0] for request in server.requests] == [b"GET", b"GET", b"POST"]


def test_a_replacement_whose_first_answer_got_lost_has_succeeded(misbehaving: Start) -> None:
    etag = f'ETag: "3-{hashlib.md5(b"old").hexdigest()}"'
    before, after = answer("200 OK", b"old", etag), answer("200 OK", b"new", 'ETag: "4-0"')
    server, client = misbehaving(before, b"", answer("409 Conflict"), after)
    client.replace_metadata(NOBODY, "MskTruth", "old", "new")
    assert etag.removeprefix("ETag: ").encode() in server.requests[1]


def test_revisions_are_sent_to_a_server_that_checks_them(misbehaving: Start) -> None:
    system = ok({"Version": "1.13.0", "DatabaseVersion": 6, "CheckRevisions": True})
    etag = f'ETag: "1-{hashlib.md5(b"knee_ap").hexdigest()}"'
    server, client = misbehaving(
        system, answer("200 OK", b"old", 'ETag: "0-1"'), answer("409 Conflict"),
        answer("200 OK", b"newer", 'ETag: "1-2"'), answer("200 OK", b"", etag),
        answer("200 OK", b"knee_ap", 'ETag: "2-3"'), answer("200 OK"),
    )  # fmt: skip
    client.put_metadata(NOBODY, "MskLabel", "knee_ap")
    client.delete_metadata(NOBODY, "MskLabel")
    sent = [line for head in server.requests for line in head.splitlines() if line.startswith(b"If-Match")]
    assert sent == [b'If-Match: "0-1"', b'If-Match: "1-2"', b'If-Match: "2-3"']


def test_a_newer_server_answers_with_the_metadata_alone(misbehaving: Start) -> None:
    system = {"Version": "1.13.0", "DatabaseVersion": 6, "Capabilities": {"HasExtendedFind": True}}
    rows = [{"ID": NOBODY, "Metadata": {"MskLabel": "knee_ap"}, "Type": "Instance"}]
    server, client = misbehaving(ok(system), ok(rows))
    assert client.metadata_page(0, 10) == {NOBODY: {"MskLabel": "knee_ap"}}
    assert server.requests[1].startswith(b"POST /tools/find ")


def test_labels_of_others_stay(misbehaving: Start) -> None:
    system = ok({"Version": "1.13.0", "DatabaseVersion": 6, "HasLabels": True})
    present = ok(["teaching", "msk-knee-ap", "msk-failed"])
    server, client = misbehaving(system, present, *[answer("200 OK")] * 3)
    client.set_labels(NOBODY, {"msk-knee-ap", "msk-needs-review"})
    sent = {tuple(head.split()[:2]) for head in server.requests[2:]}
    path = f"/instances/{NOBODY}/labels/".encode()
    assert sent == {(b"PUT", path + b"msk-needs-review"), (b"DELETE", path + b"msk-failed")}


@pytest.mark.parametrize(
    "bad", [answer("200 OK", b"<html>"), ok(["a list"]), ok({}), TRUNCATED, b"nonsense\r\n\r\n"], ids=str
)
def test_an_answer_that_is_not_orthanc_s_counts_as_unavailable(misbehaving: Start, bad: bytes) -> None:
    _, client = misbehaving(*[bad] * 4)
    with pytest.raises(OrthancUnavailable):
        client.statistics()
    with pytest.raises(OrthancUnavailable):
        client.changes(0)


@pytest.mark.parametrize("body", [b"a" * 100, b"a" * 5000], ids=["little", "much"])
def test_a_truncated_file_is_an_error(misbehaving: Start, body: bytes) -> None:
    _, client = misbehaving(answer("200 OK", body, "Connection: close", length=6000))
    with pytest.raises(OrthancUnavailable):
        client.file(NOBODY, max_bytes=10_000)


def test_a_file_that_hangs_in_the_middle_ends_in_time(misbehaving: Start) -> None:
    _, client = misbehaving(answer("200 OK", b"a" * 100, length=6000))
    started = time.monotonic()
    with pytest.raises(OrthancUnavailable):
        client.file(NOBODY, max_bytes=10_000)
    assert time.monotonic() - started < 5


def test_a_file_of_unannounced_length_is_read_no_further_than_the_limit(misbehaving: Start) -> None:
    chunks = b"3000\r\n" + b"a" * 0x3000 + b"\r\n"
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    _, client = misbehaving(head + chunks * 3 + b"0\r\n\r\n")
    with pytest.raises(TooLarge):
        client.file(NOBODY, max_bytes=0x4000)


def test_no_answer_is_requested_compressed(misbehaving: Start) -> None:
    server, client = misbehaving(SYSTEM)
    client.system()
    assert b"accept-encoding: identity" in server.requests[0].lower()


def test_a_server_that_is_not_there_counts_as_unavailable() -> None:
    client = OrthancClient(f"http://127.0.0.1:{free_port()}", "msk", "swordfish")
    with pytest.raises(OrthancUnavailable):
        client.system()


def test_an_invalid_address_is_an_error() -> None:
    with pytest.raises(ValueError, match="must begin with http"):
        OrthancClient("orthanc:8042", "msk", "swordfish")


def test_a_path_before_orthanc_is_kept(misbehaving: Start) -> None:
    server, _ = misbehaving(SYSTEM)
    OrthancClient(f"{server.url}/pacs", "msk", "swordfish").system()
    assert server.requests[0].startswith(b"GET /pacs/system ")


def test_no_proxy_stands_between_it_and_a_server_on_this_machine(
    client: OrthancClient, instance: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in DEAD_PROXY.items():
        monkeypatch.setenv(name, value)
    client.put_metadata(instance, "MskLabel", "knee_ap")
    assert client.metadata(instance)["MskLabel"] == "knee_ap"


def test_a_server_elsewhere_is_asked_through_the_proxy_of_the_environment(
    misbehaving: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy, _ = misbehaving(SYSTEM)
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    with contextlib.closing(OrthancClient("http://pacs.hospital:8042", "msk", "swordfish")) as client:
        assert client.system().version == "1.10.1"
    assert proxy.requests[0].startswith(b"GET http://pacs.hospital:8042/system ")


def test_the_server_of_these_tests_demands_a_password(server: Orthanc) -> None:
    assert requests.get(f"{server.url}/system", timeout=5).status_code == 401
    assert requests.get(f"{server.url}/system", auth=("", ""), timeout=5).status_code == 401
