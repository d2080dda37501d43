"""`msk results`: reports of studies as DICOM objects, stored in Orthanc."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from workers.terminal.bars import counting
from workers.terminal.options import json_option, state_option

if TYPE_CHECKING:
    from workers.results.archive import Reports

__all__ = ["command"]

#: Most problems that are listed; --json lists all.
SHOWN = 50


@click.group()
def command() -> None:
    """Reports of studies: what their images show, as structured reports (DICOM SR) in Orthanc."""


@command.command()
@click.argument("studies", nargs=-1, metavar="[STUDY]...")
@click.option("--all", "everything", is_flag=True, help="All studies that Orthanc holds.")
@state_option
@json_option
def write(studies: tuple[str, ...], everything: bool, state: Path | None, as_json: bool) -> None:
    """Bring the report of each STUDY (Study Instance UID, or Orthanc's identifier) to what is known by now.

    What has not changed is not written again, so that this may be stopped and repeated at any time. A study that still
    waits for an outcome gets no report yet. Exit 1 if a study could have none, or one that was named waits.
    """
    from workers.ledger import Ledger
    from workers.pacs import OrthancClient
    from workers.results.archive import all_studies, write_reports
    from workers.results.reporting import WAITING
    from workers.stack.discovery import find_settings

    if bool(studies) == everything:
        raise click.UsageError("name studies, or say --all")
    settings = find_settings(state)
    orthanc, ledger = OrthancClient.of(settings), Ledger.of(settings)
    total = orthanc.statistics().studies if everything else len(studies)
    chosen: Iterable[str] = all_studies(orthanc) if everything else studies
    with counting("reports", total) as show:
        reports = write_reports(orthanc, ledger, chosen, show)
    _print(reports, as_json)
    if reports.problems or (studies and WAITING in reports.counts):
        raise SystemExit(1)


def _print(reports: "Reports", as_json: bool) -> None:
    problems = reports.problems
    if as_json:
        told = [{"study": study, "reason": reason} for study, reason in problems]
        click.echo(json.dumps({**reports.counts, "reports": [asdict(each) for each in reports.done], "problems": told}))
        return
    counts = [f"{count} {status}" for status, count in reports.counts.items()]
    click.echo(f"reports: {', '.join(counts) or 'none'}")
    for study, reason in problems[:SHOWN]:
        click.echo(f"no report: {study}: {reason}", err=True)
    if len(problems) > SHOWN:
        click.echo(f"and {len(problems) - SHOWN} more without a report; --json lists all", err=True)
