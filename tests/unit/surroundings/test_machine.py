"""A machine without shared memory, or with a disk that is full or closed, is told in words."""

import errno
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from mskmodel.phantoms import RenderingUnavailable, making
from workers.surroundings import MISSING, OK, WARNING
from workers.surroundings.machine import disk, shared_memory


@pytest.fixture
def no_shared_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where /dev/shm is read-only: no semaphore can be made."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("_multiprocessing.SemLock", refuse)


def test_shared_memory_that_can_be_used_is_well() -> None:
    assert shared_memory(needed=True).status == OK


@pytest.mark.usefixtures("no_shared_memory")
def test_without_shared_memory_labelling_is_impossible_and_training_lacks_phantoms(tmp_path: Path) -> None:
    assert shared_memory(needed=True).status == MISSING
    assert shared_memory(needed=False).status == WARNING
    assert "/dev/shm cannot be used: Read-only file system" in shared_memory(needed=True).detail
    with pytest.raises(RenderingUnavailable, match=r"shared memory .*: Read-only file system"):
        making.make(tmp_path, 1, 1)


@pytest.mark.parametrize(("free", "status"), [(9e9, OK), (1e9, WARNING), (1e8, MISSING)])
def test_a_disk_is_judged_by_what_is_free(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free: float, status: str
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    assert disk("Disk", tmp_path / "not" / "made" / "yet", "make room", needed=True).status == status
