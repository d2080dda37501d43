"""`msk models`: the model versions there are, which one is served and why, and the way back."""

import getpass
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from mskmodel.judging.gate import Paired
    from mskmodel.registry.standing import VersionFacts
    from mskmodel.versions.comparison import Comparison
    from workers.jobs.store import JobStore

__all__ = ["command"]

T = TypeVar("T")

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(invoke_without_command=True)
@_JSON
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Model versions: which one is served, how good each is, forward and back."""
    if not ctx.invoked_subcommand:
        ctx.invoke(list_versions, as_json=as_json)


@command.command("list")
@_JSON
def list_versions(as_json: bool) -> None:
    """List the versions; the one that is served is marked."""
    from mskmodel.registry.standing import all_versions
    from workers.terminal.model_option import open_registry

    registry = open_registry()
    versions = all_versions(registry)
    if as_json:
        click.echo(json.dumps({"versions": [_row(one) for one in versions], "history": registry.history()}))
        return
    for one in versions:
        mark = "*" if one.served else " "
        origin = " (shipped)" if one.shipped else ""
        click.echo(f"{mark} {one.name}{origin}  {one.summary}")
    if not any(one.served for one in versions):
        click.echo(f"the promoted version, {registry.promoted_name()}, is not there: msk models rollback", err=True)
        raise SystemExit(1)


@command.command()
@click.argument("version", required=False)
@_JSON
def show(version: str | None, as_json: bool) -> None:
    """Show figures, data, the gate's verdict and the standing of VERSION [the one that is served]."""
    from mskmodel.registry.standing import VersionFacts
    from workers.terminal.model_option import open_registry

    registry = open_registry()
    directory = registry.find(version) if version else registry.promoted()
    facts = VersionFacts.of(registry, directory)
    if as_json:
        shown = _row(facts) | {"directory": str(directory), "report": facts.report and str(facts.report)}
        click.echo(json.dumps(facts.manifest | shown))
    else:
        _print_facts(facts)


@command.command()
@click.argument("old")
@click.argument("new")
@click.option("--images", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Folder of radiographs.")
@click.option("--labels", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="CSV of file and label.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda:N.")
@_JSON
def compare(old: str, new: str, images: Path | None, labels: Path | None, device: str, as_json: bool) -> None:
    """Compare NEW with OLD picture by picture, as the gate does, on a folder or on the hold-outs kept with them."""
    from mskmodel.data.dataset import LabelsError
    from mskmodel.versions.comparison import ComparisonError
    from workers.commands.models.comparing import compare_kept, compare_on_folder

    if (images is None) != (labels is None):
        raise click.UsageError("--images and --labels go together")
    try:
        if images is None or labels is None:
            result = compare_kept(old, new)
        else:
            result = compare_on_folder(old, new, images, labels, device, lambda line: click.echo(line, err=True))
    except (ComparisonError, LabelsError) as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps({"version": result.new.version, **result.to_json()}))
    else:
        _print_comparison(result)


@command.command()
@click.argument("version")
@click.option("--anyway", is_flag=True, help="Although the gate refused it or its job was cancelled.")
def promote(version: str, anyway: bool) -> None:
    """Serve VERSION from now on (`shipped` = the one that came with the program)."""
    from mskmodel.registry.registry import AnotherServes
    from mskmodel.registry.standing import VersionFacts
    from workers.terminal.model_option import open_registry

    registry = open_registry()
    facts = VersionFacts.of(registry, registry.find(version))
    if facts.verdict and not facts.verdict["passed"] and not anyway:
        reasons = "; ".join(facts.verdict["reasons"])
        raise click.ClickException(f"the gate refused {version}: {reasons}. To serve it all the same: --anyway")
    job = facts.manifest.get("job")
    if job and not anyway and _is_cancelled(str(job)):
        raise click.ClickException(f"job {job}, which made it, was cancelled; to serve {version} anyway: --anyway")
    try:
        registry.promote(version, instead_of=facts.verdict["against"] if facts.verdict else None)
    except AnotherServes as error:
        click.echo(f"{error}; beside each other: msk models compare {error.served} {facts.name}", err=True)
        registry.promote(version)
    click.echo(f"serving {facts.name}")
    if job:
        _approve(str(job))


@command.command()
def rollback() -> None:
    """Serve again what was served before; once more, and it is what was served before that."""
    from mskmodel.registry.standing import VersionFacts
    from workers.terminal.model_option import open_registry

    registry = open_registry()
    before = registry.promoted_name()
    name = registry.rollback()
    click.echo(f"serving {VersionFacts.of(registry, registry.find(name)).name} again, no longer {before}")


def _is_cancelled(job: str) -> bool:
    """As far as its record can be reached."""
    from workers.jobs.store import CANCELLED

    found = _in_record(job, lambda store: store.find(job), "whether it was cancelled is not known")
    return found is not None and found.state == CANCELLED


def _approve(job: str) -> None:
    """The version serves, whether or not its job's record can be reached."""
    again = "if it awaits approval, promote once more when it can be reached"
    _in_record(job, lambda store: store.approve(job, getpass.getuser()), again)


def _in_record(job: str, do: "Callable[[JobStore], T]", otherwise: str) -> "T | None":
    """None where the job's record cannot be reached, and that is said."""
    from redis import RedisError

    from workers.jobs.store import JobStore
    from workers.settings import InvalidSetting, MissingSetting
    from workers.stack.discovery import find_settings
    from workers.stack.errors import StackError

    try:
        return do(JobStore(find_settings(None).broker_url))
    except (RedisError, StackError, InvalidSetting, MissingSetting) as error:
        click.echo(f"the record of job {job} cannot be reached ({error}): {otherwise}", err=True)
        return None


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
    table.add_row("held out", f"{manifest.get('holdout', {}).get('count', 0)} images")
    table.add_row("classes", ", ".join(manifest["classes"]))
    for name, value in manifest.get("metrics", {}).items():
        if isinstance(value, float):
            table.add_row(name.replace("_", " "), f"{value:.3f}")
    console.print(table)
    if facts.report:
        click.echo(f"report: {facts.report}")


def _print_comparison(result: "Comparison") -> None:
    from rich.console import Console
    from rich.table import Table

    def row(one: "Paired") -> tuple[str, ...]:
        counts = (one.count, one.old_right, one.new_right, one.lost, one.won)
        return (one.label, *map(str, counts), f"{one.p_worse:.2g}")

    verdict, console = result.verdict, Console(highlight=False, soft_wrap=True)
    console.print(f"{result.new.version} beside {result.old.version}, on the same {len(result.labels)} images:")
    table = Table("class", "images", "right before", "right now", "lost", "won", "p (worse)")
    for one in (verdict.overall, *verdict.classes):
        if one.count:
            table.add_row(*row(one))
    console.print(table)
    console.print("the gate would let it pass" if verdict.passed else "the gate would refuse it")
    for text in (*verdict.reasons, *verdict.limits):
        console.print(f"  {text}", markup=False)
