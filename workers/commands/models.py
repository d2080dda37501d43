"""`msk models`: the model versions there are, and which one is served."""

import json
from typing import Any

import click

__all__ = ["command"]


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """List model versions; the one that is served is marked."""
    if ctx.invoked_subcommand:
        return
    from mskmodel.registry import SHIPPED, read_manifest
    from workers.models import open_registry

    registry = open_registry()
    served = registry.promoted()
    directories = [SHIPPED, *(registry.find(name) for name in registry.versions())]
    rows = [_row(read_manifest(path), path == served, path == SHIPPED) for path in directories]
    if as_json:
        click.echo(json.dumps({"versions": rows, "history": registry.history()}))
        return
    for row in rows:
        mark = "*" if row["served"] else " "
        origin = " (shipped)" if row["shipped"] else ""
        click.echo(f"{mark} {row['version']}{origin}  {len(row['classes'])} classes  {row['made']}")


@command.command()
@click.argument("version")
def promote(version: str) -> None:
    """Serve VERSION from now on (`shipped` = the one that came with the program)."""
    from workers.models import open_registry

    open_registry().promote(version)
    click.echo(f"serving {version}")


def _row(manifest: dict[str, Any], served: bool, shipped: bool) -> dict[str, Any]:
    kept = {key: manifest.get(key) for key in ("version", "made", "classes", "metrics")}
    return kept | {"served": served, "shipped": shipped}
