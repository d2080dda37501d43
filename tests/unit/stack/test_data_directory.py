"""The data directory: its secrets, its lock, and its errors."""

import os
import stat
from pathlib import Path

import pytest

from workers.stack.data_directory import DataDirectory
from workers.stack.errors import StackError


@pytest.fixture
def data(tmp_path: Path) -> DataDirectory:
    data = DataDirectory(tmp_path / "data")
    data.prepare()
    return data


def test_secrets_are_made_once_for_the_owner_alone_and_never_shown(data: DataDirectory) -> None:
    secrets = data.secrets()
    assert data.secrets() == secrets
    assert stat.S_IMODE(data.secrets_file.stat().st_mode) == 0o600
    assert secrets.webhook_secret.startswith("whsec_")
    assert len({secrets.orthanc_password, secrets.broker_password, secrets.webhook_secret}) == 3
    assert secrets.orthanc_password not in repr(secrets)


def test_a_damaged_file_is_named(data: DataDirectory) -> None:
    data.secrets_file.write_text("{")
    with pytest.raises(StackError, match=r"cannot read .*secrets\.json"):
        data.secrets()


def test_a_directory_belongs_to_one_process(data: DataDirectory) -> None:
    assert data.holder() is None
    with data.locked():
        assert data.holder() == os.getpid()
        with pytest.raises(StackError, match=f"already runs on .*process {os.getpid()}"), data.locked():
            pass
    assert data.holder() is None


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StackError, match="cannot keep data in"):
        DataDirectory(tmp_path / "file" / "data").prepare()


def test_a_name_that_is_not_utf_8_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"a\\xffb: its name is not UTF-8"):
        DataDirectory(Path(os.fsdecode(bytes(tmp_path) + b"/a\xffb"))).prepare()
