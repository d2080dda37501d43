"""`msk send` against real DICOM receivers."""

import gc
import json
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from click.testing import CliRunner
from PIL import Image
from pydicom import dcmread, dcmwrite, uid
from pydicom.dataset import Dataset, FileMetaDataset
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, evt

from mskmodel.dicom.reading import read_radiograph
from mskmodel.dicom.scan import scan_data_set, scan_meta
from mskmodel.dicom.writing import DX_PRESENTATION, Header, write_dx
from mskmodel.radiograph import NotClassifiable
from tests.certificates import Authority
from tests.dicom_files import READABLE, DicomFile, edited, gradient, hostile_files, other_files, valid_files
from tests.odd_files import COMPRESSED, odd_files
from tests.servers import running_orthanc
from workers.commands.send import command
from workers.pacs.send import FAILED, STORED, SendError, Sent, Target, Tls, send
from workers.tls import Trust

#: pynetdicom leaves the socket of a refused connection to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module", autouse=True)
def no_socket_is_left_to_other_tests() -> Iterator[None]:
    yield
    gc.collect()


@dataclass
class Receiver:
    """A storage SCP that remembers what it was sent, byte for byte."""

    target: Target = field(default_factory=Target)
    stored: dict[str, bytes] = field(default_factory=dict)
    #: Transfer syntax of each.
    syntaxes: dict[str, str] = field(default_factory=dict)
    associations: int = 0
    entity: AE | None = None
    #: What it answers to each store.
    answer: Callable[[evt.Event], int] = lambda _: 0x0000
    #: Ends it.
    leave: Callable[[], None] = lambda: None


@contextmanager
def receiving(
    contexts: list[tuple[str, list[str]]] | None = None,
    *,
    port: int = 0,
    most: int = 10,
    tls: ssl.SSLContext | None = None,
) -> Iterator[Receiver]:
    receiver, lock = Receiver(), threading.Lock()

    def on_store(event: evt.Event) -> int:
        status = receiver.answer(event)
        with lock:
            if status == 0x0000:
                instance = event.request.AffectedSOPInstanceUID
                receiver.stored[instance] = event.request.DataSet.getvalue()
                receiver.syntaxes[instance] = str(event.context.transfer_syntax)
        return status

    def on_association(_event: evt.Event) -> None:
        with lock:
            receiver.associations += 1

    entity = AE("RECEIVER")
    entity.require_called_aet = True
    entity.maximum_associations = most
    receiver.entity = entity
    every = [(context.abstract_syntax, ALL_TRANSFER_SYNTAXES) for context in AllStoragePresentationContexts]
    for sop_class, transfer_syntaxes in contexts or every:
        entity.add_supported_context(sop_class, transfer_syntaxes)
    handlers = [(evt.EVT_C_STORE, on_store), (evt.EVT_ESTABLISHED, on_association)]
    server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers, ssl_context=tls)
    receiver.leave = server.server_close
    receiver.target = Target("127.0.0.1", server.server_address[1], "RECEIVER")
    try:
        yield receiver
    finally:
        server.shutdown()


def hang_up(event: evt.Event) -> None:
    """Break the connection in the middle of a store."""
    event.assoc.dul.socket.socket.shutdown(socket.SHUT_RDWR)


def write_all(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def numbered(count: int) -> dict[str, bytes]:
    return {f"{number:03}.dcm": edited(f"numbered {number}") for number in range(count)}


def data_set_bytes(file: bytes) -> bytes:
    return file[144 + int.from_bytes(file[140:144], "little") :]


def test_dicom_files_arrive_byte_for_byte_in_their_own_transfer_syntax(tmp_path: Path) -> None:
    files = {f"{number}.dcm": file.data for number, file in enumerate(valid_files())}
    with receiving() as receiver:
        results = send([write_all(tmp_path / "in", files)], receiver.target)

    assert [sent.reason for sent in results if sent.status != STORED] == []
    expected = {str(dcmread(BytesIO(data)).SOPInstanceUID): data_set_bytes(data) for data in files.values()}
    assert receiver.stored == expected
    assert {sent.sop_instance_uid for sent in results} == set(expected)


def test_pictures_are_wrapped_as_dx_with_a_uid_that_depends_on_their_content(tmp_path: Path) -> None:
    Image.fromarray(gradient(8).astype(np.uint8)).save(tmp_path / "Quincy John.png")
    Image.fromarray(gradient(16)).save(tmp_path / "deep.png")
    Image.fromarray(gradient(8).astype(np.uint8)).convert("RGB").save(tmp_path / "colour.jpg")
    with receiving() as receiver:
        first = send([tmp_path], receiver.target)
        second = send([tmp_path / "deep.png"], receiver.target)

    assert [sent.status for sent in first] == [STORED] * 3
    assert second[0].sop_instance_uid in {sent.sop_instance_uid for sent in first}
    assert len(receiver.stored) == 3
    for data in receiver.stored.values():
        assert b"Quincy" not in data
        ds = dcmread(BytesIO(data), force=True)
        assert ds.SOPClassUID == DX_PRESENTATION
        assert ds.Modality == "DX"


@pytest.mark.parametrize("name", ["a.bmp", "a.gif", "a.tif", "a.webp", "a.jp2", "a.pgm"])
def test_pictures_of_every_format_are_wrapped_as_dx(name: str, tmp_path: Path) -> None:
    deep = name.endswith(("tif", "jp2", "pgm"))
    Image.fromarray(gradient(16) if deep else gradient(8).astype(np.uint8)).save(
        tmp_path / name, **({"lossless": True} if name == "a.webp" else {})
    )
    (tmp_path / name).rename(tmp_path / "picture")
    with receiving() as receiver:
        (sent,) = send([tmp_path], receiver.target)

    assert sent.status == STORED
    ds = dcmread(BytesIO(receiver.stored[sent.sop_instance_uid]), force=True)
    assert (ds.SOPClassUID, ds.Modality, ds.BitsStored) == (DX_PRESENTATION, "DX", 16 if deep else 8)
    stored = np.frombuffer(ds.PixelData, "<u2" if deep else "u1", gradient(8).size).reshape(gradient(8).shape)
    assert np.array_equal(stored, gradient(16 if deep else 8))


def test_pictures_that_cannot_be_one_dx_are_failures_with_a_reason(tmp_path: Path) -> None:
    image = Image.fromarray(gradient(8).astype(np.uint8))
    image.save(tmp_path / "film.gif", save_all=True, append_images=[image.rotate(90)])
    image.save(tmp_path / "pages.tif", save_all=True, append_images=[image])
    Image.new("L", (70_000, 2)).save(tmp_path / "wide.bmp")
    with receiving() as receiver:
        results = {sent.path.name: sent.reason for sent in send([tmp_path], receiver.target)}

    assert not receiver.stored
    several = "a file of several pictures: only single ones are labelled"
    wide = "a side is longer than DICOM can hold, 65,535 pixels"
    assert results == {"film.gif": several, "pages.tif": several, "wide.bmp": wide}


def test_folders_are_walked_and_files_of_other_kinds_are_left_out(tmp_path: Path) -> None:
    write_all(tmp_path / "a", numbered(2))
    (tmp_path / "a" / "b").mkdir()
    (tmp_path / "a" / "b" / "deep.dcm").write_bytes(edited("deep"))
    (tmp_path / "a" / "labels.csv").write_text("file,label\n")
    with receiving() as receiver:
        assert len(send([tmp_path], receiver.target)) == len(receiver.stored) == 3


def test_a_named_file_that_cannot_be_sent_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    with receiving() as receiver:
        results = send([tmp_path / "notes.txt", tmp_path / "broken.png", tmp_path / "gone.dcm"], receiver.target)

    assert [(sent.path.name, sent.status) for sent in results] == [
        ("notes.txt", FAILED),
        ("gone.dcm", FAILED),
        ("broken.png", FAILED),
    ]
    assert [sent.reason for sent in results] == [
        "neither a DICOM file nor a picture",
        "cannot be read: No such file or directory",
        "the image is damaged",
    ]


def test_more_kinds_of_files_than_one_association_can_carry_are_split_over_several(tmp_path: Path) -> None:
    kinds = [
        (str(context.abstract_syntax), transfer_syntax)
        for context in AllStoragePresentationContexts[:20]
        for transfer_syntax in (uid.JPEGLosslessSV1, uid.JPEGLSLossless, uid.JPEG2000, uid.RLELossless)
    ] + [(str(context.abstract_syntax), uid.ExplicitVRLittleEndian) for context in AllStoragePresentationContexts[:60]]
    files = {}
    for number, (sop_class, transfer_syntax) in enumerate(kinds):

        def set_class(ds: Dataset, sop_class: str = sop_class) -> None:
            ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = uid.UID(sop_class)

        files[f"{number}.dcm"] = edited(f"kind {number}", set_class, transfer_syntax=transfer_syntax)
    with receiving() as receiver:
        results = send([write_all(tmp_path / "in", files)], receiver.target)

    assert len(kinds) > 128
    assert [sent.reason for sent in results if sent.status != STORED] == []
    assert len(receiver.stored) == len(kinds)
    assert receiver.associations == 2


def test_a_file_that_the_receiver_refuses_is_reported_and_the_rest_is_sent(tmp_path: Path) -> None:
    answers = iter([0xA700, 0x0000, 0xC000, 0xB000])
    with receiving() as receiver:
        receiver.answer = lambda _: next(answers)
        results = send([write_all(tmp_path / "in", numbered(4))], receiver.target)

    assert [sent.status for sent in results] == [FAILED, STORED, FAILED, STORED]
    assert "Out of Resources (status 0xA700)" in results[0].reason
    assert "0xC000" in results[2].reason
    assert "with a warning" in results[3].reason


def test_a_kind_of_file_that_the_receiver_does_not_accept_is_named(tmp_path: Path) -> None:
    folder = write_all(tmp_path / "in", numbered(1))
    (folder / "j2k.dcm").write_bytes(edited("j2k", transfer_syntax=uid.JPEG2000Lossless))
    with receiving([(DX_PRESENTATION, [uid.ExplicitVRLittleEndian])]) as receiver:
        results = {sent.path.name: sent for sent in send([folder], receiver.target)}

    assert results["000.dcm"].status == STORED
    assert results["j2k.dcm"].reason == (
        "the receiver does not accept Digital X-Ray Image Storage - For Presentation in "
        "JPEG 2000 Image Compression (Lossless Only)"
    )


def test_a_receiver_that_accepts_none_of_the_files_is_an_error(tmp_path: Path) -> None:
    folder = write_all(tmp_path / "in", {"j2k.dcm": edited("j2k", transfer_syntax=uid.JPEG2000Lossless)})
    with (
        receiving([(DX_PRESENTATION, [uid.ExplicitVRLittleEndian])]) as receiver,
        pytest.raises(SendError, match="none of the kinds of file"),
    ):
        send([folder], receiver.target)


def test_a_broken_association_is_opened_again_and_no_file_is_lost(tmp_path: Path) -> None:
    stores = iter(range(100))

    def break_at_the_third(event: evt.Event) -> int:
        if next(stores) == 2:
            hang_up(event)
        return 0x0000

    with receiving() as receiver:
        receiver.answer = break_at_the_third
        results = send([write_all(tmp_path / "in", numbered(6))], receiver.target)

    assert [sent.status for sent in results] == [STORED] * 6
    assert receiver.associations == 2


def test_a_file_that_breaks_every_association_fails_alone(tmp_path: Path) -> None:
    poison = str(dcmread(BytesIO(numbered(3)["001.dcm"])).SOPInstanceUID)

    def break_at_poison(event: evt.Event) -> int:
        if event.request.AffectedSOPInstanceUID == poison:
            hang_up(event)
        return 0x0000

    with receiving() as receiver:
        receiver.answer = break_at_poison
        results = send([write_all(tmp_path / "in", numbered(3))], receiver.target)

    assert [sent.status for sent in results] == [STORED, FAILED, STORED]
    assert results[1].reason == "the receiver broke the connection"


def test_every_file_has_a_result_when_the_receiver_goes_away(tmp_path: Path) -> None:
    folder = write_all(tmp_path / "in", numbered(5))
    with receiving() as receiver:

        def leave(event: evt.Event) -> int:
            receiver.leave()
            hang_up(event)
            return 0x0000

        receiver.answer = leave
        results = send([folder], receiver.target, patience=1)

    assert sorted(sent.path.name for sent in results) == sorted(path.name for path in folder.iterdir())
    assert {sent.status for sent in results} == {FAILED}
    expected = "not sent: no DICOM receiver answers there: nobody listens there (connection refused)"
    assert all(sent.reason == expected for sent in results)


def test_a_receiver_that_restarts_is_waited_for_and_gets_every_file_once(tmp_path: Path) -> None:
    folder = write_all(tmp_path / "in", numbered(6))
    stores, told, sent_before = iter(range(100)), [], []
    with ExitStack() as running:
        receiver = running.enter_context(receiving())

        def leave_at_the_third(event: evt.Event) -> int:
            if next(stores) == 2:
                receiver.leave()
                hang_up(event)
            return 0x0000

        def restart(reason: str) -> None:
            told.append(reason)
            if reason:
                sent_before.extend(receiver.stored)
                again.append(running.enter_context(receiving(port=receiver.target.port)))

        receiver.answer, again = leave_at_the_third, []
        results = send([folder], receiver.target, senders=2, on_waiting=restart)

    assert [sent.status for sent in results] == [STORED] * 6
    assert len(results) == 6
    expected = "no DICOM receiver answers there: nobody listens there (connection refused)"
    assert told[0] == f"{receiver.target} accepts no association: {expected}"
    assert told[-1] == ""
    # The one whose answer was lost is sent again; no other.
    assert len(set(receiver.stored) & set(again[0].stored)) <= 2
    assert set(receiver.stored) | set(again[0].stored) == {sent.sop_instance_uid for sent in results}


def test_a_receiver_that_is_busy_is_waited_for_from_the_start(tmp_path: Path) -> None:
    told: list[str] = []
    with receiving(most=1) as receiver:
        other = AE("OTHER")
        other.add_requested_context(DX_PRESENTATION)
        held = other.associate("127.0.0.1", receiver.target.port, ae_title="RECEIVER")

        def free(reason: str) -> None:
            told.append(reason)
            held.release()

        results = send([write_all(tmp_path / "in", numbered(2))], receiver.target, on_waiting=free)

    assert [sent.status for sent in results] == [STORED] * 2
    assert "Local limit exceeded" in told[0] and told[-1] == ""


def test_more_senders_than_a_receiver_takes_are_no_hindrance(tmp_path: Path) -> None:
    with receiving(most=1) as receiver:
        results = send([write_all(tmp_path / "in", numbered(6))], receiver.target, senders=4, patience=20)

    assert [sent.status for sent in results] == [STORED] * 6
    assert len(receiver.stored) == 6


def test_odd_files_are_sent_with_a_header_that_says_what_they_are(tmp_path: Path) -> None:
    # Compressed frames under an uncompressed syntax would be found only by reading each file to its pixels.
    files = [file for file in odd_files() if not _hides_its_compression(file)]
    folder = write_all(tmp_path / "in", {f"{number}.dcm": file.data for number, file in enumerate(files)})
    with receiving() as receiver:
        results = {int(sent.path.stem): sent for sent in send([folder], receiver.target)}

    for number, file in enumerate(files):
        assert results[number].status == STORED, (file.name, results[number].reason)
        sent = results[number].sop_instance_uid
        assert sent == read_sop_instance(file.data), file.name
        arrived = read_radiograph(receiver.stored[sent], transfer_syntax=receiver.syntaxes[sent])
        assert arrived.transfer_syntax == receiver.syntaxes[sent], file.name
        assert np.array_equal(arrived.pixels, gradient(12)), file.name


def _hides_its_compression(file: DicomFile) -> bool:
    said, real = scan_meta(file.data).transfer_syntax, read_radiograph(file.data).transfer_syntax
    is_compressed = uid.UID(real).is_encapsulated
    return said != real and (said in COMPRESSED or (said == uid.ExplicitVRLittleEndian and is_compressed))


def read_sop_instance(data: bytes) -> str:
    return scan_data_set(data, scan_meta(data)).text("SOPInstanceUID")


def test_what_is_left_out_is_named_with_the_reason(tmp_path: Path) -> None:
    folder = write_all(tmp_path / "in", numbered(1) | {"notes.txt": b"hello", "nothing": b""})
    directory = Dataset()
    directory.file_meta = FileMetaDataset()
    directory.file_meta.MediaStorageSOPClassUID = uid.MediaStorageDirectoryStorage
    directory.file_meta.MediaStorageSOPInstanceUID, directory.FileSetID = uid.UID("1.2.3"), "TEST"
    directory.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    dcmwrite(folder / "DICOMDIR", directory, enforce_file_format=True)
    os.mkfifo(folder / "pipe")
    with receiving() as receiver:
        arguments = [str(folder), "--port", str(receiver.target.port), "--called-aet", "RECEIVER"]
        shown = CliRunner().invoke(command, arguments)
        listed = json.loads(CliRunner().invoke(command, [*arguments, "--json"]).stdout)

    assert shown.exit_code == 0, shown.output
    assert f"left out: {folder / 'notes.txt'}: neither a DICOM file nor a picture" in shown.stderr
    assert {Path(one["file"]).name: one["reason"] for one in listed["left_out"]} == {
        "DICOMDIR": "a DICOMDIR lists instances, but is none",
        "notes.txt": "neither a DICOM file nor a picture",
        "nothing": "empty",
        "pipe": "not a file",
    }


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls") / "authority")


def tls_server(authority: Authority, name: str, **options: Any) -> ssl.SSLContext:
    identity = authority.issue(name, **options)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority.file))
    context.load_cert_chain(identity.certificate, identity.key)
    return context


def test_files_are_sent_over_tls_to_a_receiver_that_wants_a_certificate_too(
    tmp_path: Path, authority: Authority
) -> None:
    server, ours = tls_server(authority, "receiver"), authority.issue("sender")
    server.verify_mode = ssl.CERT_REQUIRED
    folder = write_all(tmp_path / "in", numbered(3) | {"large.dcm": large_file()})
    with receiving(tls=server) as receiver:
        to = [str(folder), "--port", str(receiver.target.port), "--called-aet", "RECEIVER", "--tls"]
        to += ["--ca-file", str(authority.file), "--certificate", str(ours.certificate), "--key", str(ours.key)]
        ran = CliRunner().invoke(command, [*to, "--senders", "2"])

    assert ran.exit_code == 0, ran.output
    assert len(receiver.stored) == 4
    large = receiver.stored[read_sop_instance(large_file())]
    assert large == data_set_bytes(large_file())


def large_file() -> bytes:
    """More than fits into one record of TLS and one PDU."""
    return write_dx(gradient(12, 1000, 800), header=Header(identity="large"), bits=12)


@pytest.mark.parametrize("case", ["unknown authority", "other host", "expired", "no TLS there", "TLS not asked for"])
def test_a_receiver_that_is_not_to_be_trusted_gets_nothing_and_the_reason_is_said(
    tmp_path: Path, authority: Authority, case: str
) -> None:
    options = {"other host": {"hosts": "DNS:pacs.example"}, "expired": {"days": -1}}.get(case, {})
    tls = None if case == "no TLS there" else tls_server(authority, case.replace(" ", "-"), **options)
    trust = Trust(None if case == "unknown authority" else authority.file)
    with receiving(tls=tls) as receiver:
        target = replace(receiver.target, tls=None if case == "TLS not asked for" else Tls(trust))
        with pytest.raises(SendError) as caught:
            send([write_all(tmp_path / "in", numbered(1))], target)

    expected = {
        "unknown authority": "its certificate is signed by an authority that is not trusted here",
        "other host": "its certificate is for another address",
        "expired": "its certificate has expired",
        "no TLS there": "does it speak TLS there",
        "TLS not asked for": "it ends the connection, as one that wants TLS does",
    }
    assert expected[case] in str(caught.value)
    assert receiver.stored == {}


def test_a_certificate_is_not_verified_where_the_user_says_so(tmp_path: Path, authority: Authority) -> None:
    folder = write_all(tmp_path / "in", numbered(1))
    with receiving(tls=tls_server(authority, "stranger", hosts="DNS:pacs.example")) as receiver:
        to = [str(folder), "--port", str(receiver.target.port), "--called-aet", "RECEIVER", "--tls", "--no-verify"]
        ran = CliRunner().invoke(command, to)

    assert ran.exit_code == 0, ran.output
    assert "not verified" in ran.stderr


def test_a_certificate_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    folder = write_all(tmp_path / "in", numbered(1))
    (tmp_path / "text.pem").write_text("hello")

    for option in ("--ca-file", "--certificate"):
        ran = CliRunner().invoke(command, [str(folder), "--tls", option, str(tmp_path / "text.pem")])
        assert ran.exit_code == 1
        assert "text.pem" in ran.stderr and "no certificate in PEM" in ran.stderr


def test_several_senders_share_the_files(tmp_path: Path) -> None:
    together = threading.Barrier(4, timeout=30)
    first = threading.Semaphore(4)

    def wait_for_the_others(_event: evt.Event) -> int:
        if first.acquire(blocking=False):
            together.wait()
        return 0x0000

    seen: list[Sent] = []
    with receiving() as receiver:
        receiver.answer = wait_for_the_others
        results = send([write_all(tmp_path / "in", numbered(20))], receiver.target, senders=4, on_result=seen.append)

    assert receiver.associations == 4
    assert len(receiver.stored) == 20
    assert seen == results


def test_a_receiver_that_is_not_there_or_does_not_know_us_is_one_clear_error(tmp_path: Path) -> None:
    folder = write_all(tmp_path / "in", numbered(1))
    with receiving() as receiver:
        target = receiver.target
        with pytest.raises(
            SendError, match=r"STRANGER at 127.0.0.1:\d+ accepts no association: it was rejected: Called AE title"
        ):
            send([folder], Target("127.0.0.1", target.port, "STRANGER"))
    with pytest.raises(SendError, match="no DICOM receiver answers there"):
        send([folder], target)


@pytest.mark.parametrize("title", ["", "   ", "SEVENTEEN-LETTERS", "ÄÖÜ", "A\nB"])
def test_a_title_that_dicom_cannot_carry_is_refused_at_once(title: str) -> None:
    with pytest.raises(SendError, match="no application entity title"):
        Target(called_aet=title)


def test_the_command_reads_the_state_file_and_prints_json(tmp_path: Path) -> None:
    folder = write_all(tmp_path / "in", numbered(3))
    with receiving() as receiver:
        state = tmp_path / "state.json"
        orthanc = {"url": "http://127.0.0.1:1", "dicom_port": receiver.target.port, "dicom_aet": "RECEIVER"}
        state.write_text(json.dumps({"orthanc": orthanc}))
        ran = CliRunner().invoke(command, [str(folder), "--state", str(state), "--json", "--senders", "2"])

    assert ran.exit_code == 0, ran.output
    answer = json.loads(ran.stdout)
    assert (answer["stored"], answer["failed"]) == (3, 0)
    assert {entry["sop_instance_uid"] for entry in answer["files"]} == set(receiver.stored)


def test_the_command_exits_1_and_names_the_files_that_were_not_stored(tmp_path: Path) -> None:
    folder = write_all(tmp_path / "in", numbered(2))
    answers = iter([0x0000, 0xA700])
    with receiving() as receiver:
        receiver.answer = lambda _: next(answers)
        arguments = [str(folder), "--port", str(receiver.target.port), "--called-aet", "RECEIVER"]
        ran = CliRunner().invoke(command, arguments, env={"COLUMNS": "300"})

    assert ran.exit_code == 1
    assert "001.dcm" in ran.stdout and "0xA700" in ran.stdout and "000.dcm" not in ran.stdout
    assert "1 of 2 stored" in ran.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["empty"], "nothing to send"),
        (["in", "--port", "1"], "no DICOM receiver answers there"),
        (["in", "--state", "missing.json"], "is the stack up"),
        (["in", "--state", "in/000.dcm"], "is no state file"),
    ],
)
def test_the_errors_of_the_command_name_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_all(tmp_path / "in", numbered(1))
    (tmp_path / "empty").mkdir()

    ran = CliRunner().invoke(command, arguments)

    assert ran.exit_code == 1
    assert message in ran.stderr


def test_orthanc_stores_every_kind_and_gives_back_what_the_worker_will_judge(tmp_path: Path) -> None:
    files = [file for file in (*valid_files(), *other_files(), *hostile_files()) if file.storable]
    folder = write_all(tmp_path / "in", {f"{number:03}.dcm": file.data for number, file in enumerate(files)})
    with running_orthanc(tmp_path / "orthanc") as orthanc:
        target = Target("127.0.0.1", orthanc.dicom_port, orthanc.dicom_aet)
        results = {sent.path.name: sent for sent in send([folder], target, senders=4)}
        refused = {files[int(name[:3])].name: sent.reason for name, sent in results.items() if sent.status != STORED}
        assert refused == {}
        for name, sent in results.items():
            file = files[int(name[:3])]
            assert _ending(orthanc.url, (orthanc.user, orthanc.password), sent.sop_instance_uid) == file.ending, file


def _ending(url: str, auth: tuple[str, str], sop_instance: str) -> str:
    found = requests.post(f"{url}/tools/lookup", data=sop_instance, auth=auth, timeout=30).json()
    data = requests.get(f"{url}/instances/{found[0]['ID']}/file", auth=auth, timeout=30).content
    try:
        read_radiograph(data)
    except NotClassifiable as error:
        return type(error).__name__.lower()
    return READABLE
