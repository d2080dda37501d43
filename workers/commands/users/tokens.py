"""`msk users token add`, `list` and `revoke`."""

import json
from datetime import timedelta
from pathlib import Path

import click

from workers.commands.users.records import open_records, own_name, role_type
from workers.terminal.options import json_option, state_option

__all__ = ["token"]


@click.group()
def token() -> None:
    """Tokens, by which programs use the API in the name of an account."""


@token.command()
@click.argument("name")
@click.option("--role", "role_word", type=role_type, help="What it may do.  [default: what its owner may]")
@click.option("--days", type=click.IntRange(1, 3650), default=90, show_default=True, help="How long it is valid.")
@state_option
def add(name: str, role_word: str | None, days: int, state: Path | None) -> None:
    """Make a token of the account NAME, and print it: it is shown this once."""
    from workers.access.accounts import account_name, known_account
    from workers.access.role import Role
    from workers.access.tokens import add_token

    _, records = open_records(state)
    with records.writing() as connection:
        owner = known_account(connection, account_name(name))
        role = Role.of(role_word) if role_word else owner.role
        made, text = add_token(connection, owner.name, role, timedelta(days=days), by=own_name())
    click.echo(f"token {made.id} of {made.account}, {made.role.word}, until {made.expires_at}", err=True)
    click.echo(text)


@token.command("list")
@json_option
@state_option
def list_tokens(as_json: bool, state: Path | None) -> None:
    """List the tokens, not their texts."""
    from workers.access.tokens import tokens_of

    _, records = open_records(state)
    with records.reading() as connection:
        found = tokens_of(connection)
    if as_json:
        click.echo(json.dumps([each.__dict__ | {"role": each.role.word} for each in found], indent=1))
        return
    for each in found:
        click.echo(f"{each.id}  {each.account:<24}  {each.role.word:<8}  until {each.expires_at}")


@token.command()
@click.argument("token_id", metavar="ID")
@state_option
def revoke(token_id: str, state: Path | None) -> None:
    """Revoke the token ID: it is refused from now on."""
    from workers.access.tokens import revoke_token

    _, records = open_records(state)
    with records.writing() as connection:
        revoke_token(connection, token_id, by=own_name())
