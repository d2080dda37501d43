"""`msk viewer fetch`: OHIF's pages from npm."""

from pathlib import Path

import click

__all__ = ["fetch"]


@click.command()
@click.option(
    "--folder",
    envvar="MSK_VIEWER",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where they shall be [$MSK_VIEWER, or inside this environment].",
)
def fetch(folder: Path | None) -> None:
    """Fetch OHIF's pages from npm, 50 MB, once; gateways started from then on serve them at /ohif/."""
    from workers.viewer.installing import default_folder, install
    from workers.viewer.package import NAME, VERSION

    folder = folder or default_folder()
    is_new = install(folder)
    click.echo(f"{NAME} {VERSION} is {'now' if is_new else 'already'} in {folder}")
