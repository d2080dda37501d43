"""What a disk, a file, a certificate or a network did becomes one sentence; a mistake of ours does not."""

import errno
import os
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
import requests
import urllib3

from workers.sentences import network_reason, sentence_of


def msk(*arguments: str | Path, stdout: int | None = None, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = (sys.executable, "-m", "workers.cli", *map(str, arguments))
    own = os.environ | environment
    return subprocess.run(
        command, stdout=stdout or subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", env=own, errors="replace"
    )


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "the quota of this user is used up"),
        (errno.EROFS, "the file system is read-only"),
        (errno.EACCES, "this user may not do that"),
        (errno.EISDIR, "it is a folder"),
        (errno.ENOENT, "there is no such file or folder"),
    ],
)
def test_what_a_disk_refuses_is_said_with_the_path(number: int, said: str) -> None:
    assert sentence_of(OSError(number, os.strerror(number), "/models/x")) == f"/models/x: {said}"
    assert sentence_of(OSError(number, os.strerror(number), b"/models/\xff")) == f"/models/\\udcff: {said}"


def test_a_full_disk_is_said_even_if_no_path_is_known() -> None:
    assert sentence_of(OSError(errno.ENOSPC, "No space left on device")) == "the disk is full"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (10, "its certificate has expired"),
        (18, "its certificate is signed by itself, and no authority that is trusted here vouches for it"),
        (20, "its certificate is signed by an authority that is not trusted here"),
        (62, "its certificate is for another host name"),
        (99, "its certificate cannot be verified"),
    ],
)
def test_a_certificate_is_found_however_deep_it_is_wrapped(code: int, said: str) -> None:
    refused = ssl.SSLCertVerificationError(1, "certificate verify failed: Quincy's own words")
    refused.verify_code = code
    pool = urllib3.HTTPSConnectionPool("pacs")
    wrapped = requests.exceptions.SSLError(urllib3.exceptions.MaxRetryError(pool, "/", refused))
    assert network_reason(wrapped) == said


def test_the_reason_of_a_lost_connection_is_found() -> None:
    lost = requests.ConnectionError(urllib3.exceptions.ProtocolError("aborted", ConnectionResetError(104, "reset")))
    assert network_reason(lost) == "the connection was broken off"
    assert network_reason(requests.ReadTimeout("late")) == "no answer in time"


@pytest.mark.parametrize(
    "mistake", [KeyError("x"), ValueError("x"), TypeError("x"), AttributeError("x"), OSError("x"), RuntimeError("x")]
)
def test_a_mistake_of_ours_has_no_sentence(mistake: Exception) -> None:
    assert sentence_of(mistake) is None


def test_a_mistake_in_the_handling_of_a_known_error_has_none_either() -> None:
    def handle() -> None:
        try:
            raise OSError(errno.ENOSPC, "No space left on device", "/models")
        except OSError:
            raise KeyError("x")  # noqa: B904 - as a mistake would

    with pytest.raises(KeyError) as mistake:
        handle()
    assert sentence_of(mistake.value) is None


def test_a_full_disk_ends_a_command_in_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        result = msk("models", "list", stdout=full.fileno())
    assert (result.returncode, result.stderr) == (1, "Error: the disk is full\n")


def test_a_reader_that_has_gone_ends_a_command_without_a_word() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    result = msk("models", "list", stdout=writer)
    os.close(writer)
    assert (result.returncode, result.stderr) == (1, "")


def test_a_name_that_is_no_text_is_shown_on_a_terminal_that_knows_ascii_alone(tmp_path: Path) -> None:
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/\xff")
    result = msk("status", "--data", folder, PYTHONIOENCODING="ascii")
    assert "Traceback" not in result.stderr
    assert (result.returncode, result.stderr) == (1, "")
    assert f"{tmp_path}/" in result.stdout


@pytest.mark.parametrize("queues", [",", "labels", "label,labels"])
def test_a_worker_takes_only_queues_that_exist(queues: str) -> None:
    result = msk("worker", "--queues", queues)
    assert result.returncode == 2
    assert "give some of label, label.backfill, train, maintenance" in " ".join(result.stderr.split())
