"""`msk users`: accounts and their tokens."""

import click

from workers.commands.users.accounts import add, list_accounts, password, remove, role
from workers.commands.users.tokens import token

__all__ = ["command"]


@click.group()
def command() -> None:
    """Accounts and their tokens: who may use pages and API.

    It opens the records itself, so it needs to run on the machine that has their folder, or reach their PostgreSQL.
    """


for each in (add, list_accounts, remove, password, role, token):
    command.add_command(each)
