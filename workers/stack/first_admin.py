"""The first administrator of a local stack: whoever started it, by a link that works once."""

import getpass
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workers.access.accounts import accounts_of, add_account, invite
from workers.access.errors import AccessError
from workers.access.opened_records import OpenedRecords
from workers.access.role import Role
from workers.stack.data_directory import DataDirectory

__all__ = ["first_link"]


def first_link(state: Mapping[str, Any]) -> str | None:
    """Where the first administrator chooses a password: a new link at each start, until that is done; None then.

    Raises:
        sqlalchemy.exc.SQLAlchemyError, OSError, RecordsError: the records cannot be used.
    """
    records = OpenedRecords(str(DataDirectory(Path(state["data"])).records))
    with records.writing() as connection:
        found = accounts_of(connection)
        administrators = [account.name for account in found if account.role is Role.ADMIN]
        if any(account.has_password for account in found) or (found and not administrators):
            return None
        by = getpass.getuser()
        if administrators:
            name = administrators[0]
        else:
            try:
                name = add_account(connection, by, Role.ADMIN, by=by)
            except AccessError:  # the user's name can be no account's
                name = add_account(connection, "admin", Role.ADMIN, by=by)
        return f"{state['gateway']['url']}/login?once={invite(connection, name, by=by)}"
