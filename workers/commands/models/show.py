"""`msk models list` and `show`: how good each version is, and how it stands."""

import json
from typing import TYPE_CHECKING, Any

import click

from workers.terminal.options import json_option

if TYPE_CHECKING:
    from mskmodel.registry.standing import VersionFacts

__all__ = ["list_versions", "show"]


@click.command("list")
@json_option
def list_versions(as_json: bool) -> None:
    """List the versions; the one that is served is marked."""
    from mskmodel.registry.standing import all_versions
    from workers.terminal.chosen_version import open_registry

    registry = open_registry()
    versions = all_versions(registry)
    if as_json:
        click.echo(
            json.dumps({"versions": [_row(one) for one in versions], "history": registry.history()}, allow_nan=False)
        )
        return
    for one in versions:
        mark = "*" if one.served else " "
        origin = " (shipped)" if one.shipped else ""
        click.echo(f"{mark} {one.name}{origin}  {one.summary}")
    if not any(one.served for one in versions):
        click.echo(f"the promoted version, {registry.promoted_name()}, is not there: msk models rollback", err=True)
        raise SystemExit(1)


@click.command()
@click.argument("version", required=False)
@json_option
def show(version: str | None, as_json: bool) -> None:
    """Show figures, data, the gate's verdict and the standing of VERSION [the one that is served]."""
    from mskmodel.registry.standing import VersionFacts
    from workers.terminal.chosen_version import open_registry

    registry = open_registry()
    directory = registry.find(version) if version else registry.promoted()
    facts = VersionFacts.of(registry, directory)
    if as_json:
        shown = _row(facts) | {"directory": str(directory), "report": facts.report and str(facts.report)}
        click.echo(json.dumps(facts.manifest | shown, allow_nan=False))
    else:
        _print_facts(facts)


def _row(facts: "VersionFacts") -> dict[str, Any]:
    kept = {key: facts.manifest.get(key) for key in ("made", "classes", "metrics", "gate")}
    flags = {"served": facts.served, "shipped": facts.shipped, "damaged": facts.damage}
    return {"version": facts.name, **kept, **flags, "standing": facts.standing}


def _print_facts(facts: "VersionFacts") -> None:
    from rich.console import Console
    from rich.table import Table

    manifest = facts.manifest
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{facts.name}: {facts.standing}")
    if facts.verdict:
        said = "let it pass" if facts.verdict["passed"] else "refused it"
        console.print(f"the gate {said}, against {facts.verdict.get('against', 'the version served then')}:")
        for text in (*facts.verdict["reasons"], *facts.verdict["limits"]):
            console.print(f"  {text}", markup=False)
    table = Table("", "", show_header=False, box=None)
    table.columns[1].overflow = "fold"
    table.add_row("made", str(manifest.get("made", "-")))
    table.add_row("started from", str(manifest.get("starting_weights", "-")))
    for one in manifest.get("data", []):
        table.add_row("trained on", f"{one['name']}: {one['count']} images, {one['share']:.0%} of the draws")
    table.add_row("judged on", f"{manifest.get('holdout', {}).get('count', 0)} images that it had not seen")
    table.add_row("classes", ", ".join(manifest["classes"]))
    if others := manifest.get("others"):
        table.add_row("also tells apart", ", ".join(others))
    for name, rates in manifest.get("operating_point", {}).items():
        none, right = rates["none_labelled"], rates["labels_right"]
        table.add_row(f"{name} at the site", f"{none:.3f} of none of the classes labelled, {right:.3f} of labels right")
    for name, value in manifest.get("metrics", {}).items():
        if isinstance(value, float):
            table.add_row(name.replace("_", " "), f"{value:.3f}")
    console.print(table)
    if facts.report:
        click.echo(f"report: {facts.report}")
