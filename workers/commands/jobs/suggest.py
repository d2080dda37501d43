"""`msk jobs suggest`: what to correct next, as a list to look through and a table to fill in."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from workers.terminal.bars import counting
from workers.terminal.options import state_option
from workers.terminal.output_file import OutputFile, write

__all__ = ["suggest"]

#: More than a person looks through at once.
MOST = 10_000
#: Columns of a terminal from which on a table shows whole identifiers; on others, so many of their characters.
_WIDE, _SHORT = 120, 8
_NOTHING = "somebody has looked at every instance that the model has labelled or left"
_NO_HEADERS = "of all instances that nobody has looked at, no header is wrong by the pixels"


@click.command()
@click.argument("count", type=click.IntRange(1, MOST))
@click.option("--csv", "csv_file", type=OutputFile(), metavar="FILE", help="Table to fill in for msk truth import.")
@click.option("--json", "json_file", type=OutputFile(dash=True), metavar="FILE", help="As JSON; - prints only that.")
@click.option("--headers", is_flag=True, help="Those whose headers are wrong by the pixels, the surest first.")
@click.option("--links", is_flag=True, help="Print links to Orthanc Explorer too.")
@state_option
def suggest(
    count: int, csv_file: Path | None, json_file: Path | None, headers: bool, links: bool, state: Path | None
) -> None:
    """Suggest COUNT instances without a truth that a person should look at.

    First come those of which the model is least certain, or that the header contradicts; answers and patients vary. In
    the table, replace the ? of an instance by its label, or by none if it shows none of the classes. `msk truth
    import` skips the rows that still have a ?.
    """
    from workers.corrections.suggesting import as_plain, contradicted, suggestions
    from workers.pacs import OrthancClient
    from workers.stack.discovery import find_settings

    settings = find_settings(state)
    orthanc = OrthancClient.of(settings)
    with counting("looking", orthanc.statistics().instances) as show:
        found = (contradicted if headers else suggestions)(orthanc, count, show)
    rows = [as_plain(each, settings.orthanc_url) for each in found]
    if csv_file:
        _write_table(csv_file, rows)
    if json_file:
        write(json_file, json.dumps(rows, indent=1, allow_nan=False))
    if json_file != Path("-"):
        _print(rows, links, _NO_HEADERS if headers else _NOTHING)


def _write_table(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    from mskmodel.tables.label_cell import UNANSWERED
    from mskmodel.tables.table import write_table

    found = ((row["instance"], UNANSWERED, row["suggested"], row["why"], row["link"]) for row in rows)
    write_table(path, ("instance", "label", "suggested", "why", "link"), found)


def _print(rows: Sequence[dict[str, Any]], links: bool, why_nothing: str) -> None:
    """A table that fits 80 columns. Where the terminal knows hyperlinks, an identifier opens its instance."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if not rows:
        click.echo(f"nothing to suggest: {why_nothing}")
        return
    console = Console(highlight=False)
    short = None if console.width >= _WIDE else _SHORT
    table = Table("instance", "guess", "why", box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for row in rows:
        instance = Text(row["instance"][:short], f"link {row['link']}", no_wrap=True)
        table.add_row(instance, Text(row["suggested"] or "none of them", no_wrap=True), Text(row["why"]))
    console.print(table)
    if links:
        for row in rows:
            console.print(f"{row['instance'][:short]}  {row['link']}", soft_wrap=True, markup=False)
    if short:
        click.echo("whole identifiers: --csv FILE, --json FILE, or a terminal of 120 columns", err=True)
