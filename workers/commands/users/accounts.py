"""`msk users add`, `list`, `remove`, `password` and `role`."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from workers.commands.users.records import open_records, own_name, role_type
from workers.terminal.options import json_option, state_option

if TYPE_CHECKING:
    from workers.settings import Settings

__all__ = ["add", "list_accounts", "password", "remove", "role"]

link_option = click.option("--link/--ask", default=True, show_default=True, help="Print a link, or ask for a password.")


@click.command()
@click.argument("name")
@click.option("--role", "role_word", type=role_type, default="viewer", show_default=True, help="What they may do.")
@link_option
@state_option
def add(name: str, role_word: str, link: bool, state: Path | None) -> None:
    """Add the account NAME, and print the link by which its owner chooses the password."""
    from workers.access.accounts import add_account, invite, set_password
    from workers.access.passwords import hashed
    from workers.access.role import Role

    settings, records = open_records(state)
    kept = "" if link else hashed(_asked())
    with records.writing() as connection:
        name = add_account(connection, name, Role.of(role_word), by=own_name())
        if link:
            secret = invite(connection, name, by=own_name())
        else:
            set_password(connection, name, kept, by=own_name())
    click.echo(_link(settings, name, secret) if link else f"{name} may sign in")


@click.command("list")
@json_option
@state_option
def list_accounts(as_json: bool, state: Path | None) -> None:
    """List the accounts."""
    from workers.access.accounts import accounts_of

    _, records = open_records(state)
    with records.reading() as connection:
        found = accounts_of(connection)
    if as_json:
        click.echo(json.dumps([each.__dict__ | {"role": each.role.word} for each in found], indent=1))
        return
    for each in found:
        standing = "" if each.has_password else "  no password yet"
        click.echo(f"{each.name:<24}  {each.role.word:<8}  since {each.made_at[:10]}{standing}")


@click.command()
@click.argument("name")
@state_option
def remove(name: str, state: Path | None) -> None:
    """Remove the account NAME, with its tokens; whoever is signed in by it is signed out."""
    from workers.access.accounts import account_name, remove_account

    _, records = open_records(state)
    with records.writing() as connection:
        remove_account(connection, account_name(name), by=own_name())


@click.command()
@click.argument("name")
@link_option
@state_option
def password(name: str, link: bool, state: Path | None) -> None:
    """Print a link by which the owner of the account NAME chooses another password."""
    from workers.access.accounts import account_name, invite, set_password
    from workers.access.passwords import hashed

    settings, records = open_records(state)
    name, kept = account_name(name), "" if link else hashed(_asked())
    with records.writing() as connection:
        if link:
            secret = invite(connection, name, by=own_name())
        else:
            set_password(connection, name, kept, by=own_name())
    if link:
        click.echo(_link(settings, name, secret))


@click.command()
@click.argument("name")
@click.argument("role", type=role_type)
@state_option
def role(name: str, role: str, state: Path | None) -> None:
    """Give the account NAME another ROLE: viewer, reviewer or admin."""
    from workers.access.accounts import account_name, set_role
    from workers.access.role import Role

    _, records = open_records(state)
    with records.writing() as connection:
        set_role(connection, account_name(name), Role.of(role), by=own_name())


def _asked() -> str:
    """A password, typed twice at a terminal; from a pipe, its first line."""
    if sys.stdin.isatty():
        typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
        return typed
    return sys.stdin.readline().rstrip("\n")


def _link(settings: "Settings", name: str, secret: str) -> str:
    from workers.access.accounts import INVITED

    address = (settings.gateway_url or "").rstrip("/")
    where = "" if address else "\nThat is a path: put the gateway's address before it."
    return f"{name} chooses a password here, once, within {INVITED.days} days:\n{address}/login?once={secret}{where}"
