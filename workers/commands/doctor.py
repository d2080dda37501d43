"""`msk doctor`: what this machine lacks."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from workers.terminal.options import json_option
from workers.terminal.stack_options import data_option

__all__ = ["command"]

MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "missing": ("✗", "red")}


@click.command()
@data_option()
@json_option
@click.pass_context
def command(context: click.Context, data: Path, as_json: bool) -> None:
    """Show what is missing on this machine and the command that fixes it; exit 1 if labelling cannot work."""
    from workers.stack.doctor import examine
    from workers.surroundings import MISSING

    findings = []
    for finding in examine(data):
        findings.append(finding)
        if not as_json:
            mark, colour = MARKS[finding.status]
            click.echo(f"{click.style(mark, fg=colour)} {finding.name}: {finding.detail}")
            if finding.fix:
                click.echo(f"    {click.style(finding.fix, bold=True)}")
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    context.exit(1 if any(finding.status == MISSING for finding in findings) else 0)
