"""`msk send` against real DICOM receivers."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import requests
from click.testing import CliRunner
from PIL import Image
from pydicom import dcmread, uid
from pydicom.dataset import Dataset
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, evt

from mskmodel.dicom.reading import read_radiograph
from mskmodel.dicom.writing import DX_PRESENTATION
from mskmodel.radiograph import NotClassifiable
from tests.dicom_files import READABLE, edited, gradient, hostile_files, other_files, valid_files
from tests.servers import running_orthanc
from workers.commands.send import command
from workers.pacs.send import FAILED, STORED, SendError, Sent, Target, send

#: pynetdicom leaves the socket of a refused connection to the garbage collector.
leaves_a_socket = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@dataclass
class Receiver:
    """A storage SCP that remembers what it was sent, byte for byte."""

    target: Target = field(default_factory=Target)
    stored: dict[str, bytes] = field(default_factory=dict)
    associations: int = 0
    #: What it answers to each store.
    answer: Callable[[evt.Event], int] = lambda _: 0x0000
    #: Ends it.
    leave: Callable[[], None] = lambda: None


@contextmanager
def receiving(contexts: list[tuple[str, list[str]]] | None = None) -> Iterator[Receiver]:
    receiver, lock = Receiver(), threading.Lock()

    def on_store(event: evt.Event) -> int:
        status = receiver.answer(event)
        with lock:
            if status == 0x0000:
                receiver.stored[event.request.AffectedSOPInstanceUID] = event.request.DataSet.getvalue()
        return status

    def on_association(_event: evt.Event) -> None:
        with lock:
            receiver.associations += 1

    entity = AE("RECEIVER")
    entity.require_called_aet = True
    every = [(context.abstract_syntax, ALL_TRANSFER_SYNTAXES) for context in AllStoragePresentationContexts]
    for sop_class, transfer_syntaxes in contexts or every:
        entity.add_supported_context(sop_class, transfer_syntaxes)
    handlers = [(evt.EVT_C_STORE, on_store), (evt.EVT_ESTABLISHED, on_association)]
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
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
        "neither a DICOM, a PNG nor a JPEG file",
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


@leaves_a_socket
def test_every_file_has_a_result_when_the_receiver_goes_away(tmp_path: Path) -> None:
    folder = write_all(tmp_path / "in", numbered(5))
    with receiving() as receiver:

        def leave(event: evt.Event) -> int:
            receiver.leave()
            hang_up(event)
            return 0x0000

        receiver.answer = leave
        results = send([folder], receiver.target)

    assert sorted(sent.path.name for sent in results) == sorted(path.name for path in folder.iterdir())
    assert {sent.status for sent in results} == {FAILED}
    assert all(sent.reason == "the connection was lost: no DICOM receiver answers there" for sent in results)


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


@leaves_a_socket
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


@leaves_a_socket
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
