"""How `msk users` reaches the records, and in whose name it changes them."""

import getpass
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from workers.access.opened_records import OpenedRecords
    from workers.settings import Settings

__all__ = ["open_records", "own_name", "role_type"]

#: Roles, the smallest first.
role_type = click.Choice(("viewer", "reviewer", "admin"))


def open_records(state: Path | None) -> "tuple[Settings, OpenedRecords]":
    """Raises MissingSetting where nothing says where the records are."""
    from workers.access.opened_records import OpenedRecords
    from workers.settings import MissingSetting
    from workers.stack.discovery import find_settings

    settings = find_settings(state)
    if settings.records is None:
        raise MissingSetting("MSK_RECORDS")
    return settings, OpenedRecords(settings.records)


def own_name() -> str:
    """Who the audit log says it was: the user of this machine, who may write to the records."""
    return getpass.getuser()
