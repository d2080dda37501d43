"""Whoever starts a local stack for the first time is its first administrator."""

import getpass
import re
from pathlib import Path
from typing import Any

from workers.access.accounts import accounts_of, add_account, invited_account, set_password
from workers.access.opened_records import OpenedRecords
from workers.access.passwords import hashed
from workers.access.role import Role
from workers.stack.data_directory import DataDirectory
from workers.stack.first_admin import first_link


def state(folder: Path) -> dict[str, Any]:
    return {"data": str(folder), "gateway": {"url": "http://127.0.0.1:8000"}}


def test_each_start_gives_another_link_until_a_password_is_chosen(tmp_path: Path) -> None:
    records = OpenedRecords(str(DataDirectory(tmp_path).records))
    links = [first_link(state(tmp_path)) for _ in range(2)]
    secrets = [re.fullmatch(r"http://127.0.0.1:8000/login\?once=([\w-]{43})", link or "") for link in links]
    with records.writing() as connection:
        (account,) = accounts_of(connection)
        assert (account.name, account.role) == (getpass.getuser(), Role.ADMIN)
        assert [invited_account(connection, secret[1]) for secret in secrets if secret] == [None, account.name]
        set_password(connection, account.name, hashed("a long password"), by="test")
    assert first_link(state(tmp_path)) is None
    records.dispose()


def test_where_there_are_accounts_already_nobody_is_made_an_administrator(tmp_path: Path) -> None:
    records = OpenedRecords(str(DataDirectory(tmp_path).records))
    with records.writing() as connection:
        add_account(connection, "anna", Role.VIEWER, by="test")
    assert first_link(state(tmp_path)) is None
    records.dispose()
