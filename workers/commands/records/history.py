"""`msk records journal` and `msk records audit-log`: what people did, for people, as JSON and as CSV."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from workers.terminal.options import json_option, state_option
from workers.terminal.output_file import OutputFile

__all__ = ["audit_log", "journal"]

COUNT = 20

count_option = click.option("--count", default=COUNT, show_default=True, help="The last so many entries; 0 for all.")
csv_option = click.option("--csv", "table", type=OutputFile(), help="Write them to this file, the newest first.")


@click.command()
@click.option("--instance", default="", help="Only what was said of this instance (its Orthanc identifier).")
@count_option
@csv_option
@json_option
@state_option
def journal(instance: str, count: int, table: Path | None, as_json: bool, state: Path | None) -> None:
    """Show what was said of instances, and what became of it, the newest first."""
    entries = _entries(state, "journal", count, instance=instance)
    _show(entries, ("time", "instance", "label", "author", "origin", "end"), table, as_json=as_json)


@click.command("audit-log")
@click.option("--subject", default="", help="Only what was done to this one (its identifier).")
@count_option
@csv_option
@json_option
@state_option
def audit_log(subject: str, count: int, table: Path | None, as_json: bool, state: Path | None) -> None:
    """Show who did what to what, the newest first."""
    entries = _entries(state, "audit-log", count, subject=subject)
    _show(entries, ("time", "actor", "action", "subject"), table, as_json=as_json)


def _entries(state: Path | None, name: str, count: int, **wanted: str) -> Iterator[dict[str, Any]]:
    from workers.stack.discovery import find_settings
    from workers.terminal.gateway import Gateway

    return Gateway(find_settings(state)).entries(name, count or None, **wanted)


def _show(entries: Iterator[dict[str, Any]], head: tuple[str, ...], table: Path | None, *, as_json: bool) -> None:
    if table is not None:
        _write(entries, table)
    elif as_json:
        click.echo(json.dumps(list(entries), indent=2))
    else:
        for entry in entries:
            click.echo("  ".join("-" if entry[name] is None else str(entry[name]) for name in head))


def _write(entries: Iterator[dict[str, Any]], table: Path) -> None:
    """Write a table with a column for each field; what is no text or number is JSON there."""
    import csv

    first = next(entries, None)
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if first is not None:
            writer.writerow(first)
            writer.writerow(map(_cell, first.values()))
        writer.writerows(map(_cell, entry.values()) for entry in entries)


def _cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, dict | list) else value
