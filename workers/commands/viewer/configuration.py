"""`msk viewer configuration`: app-config.js for an OHIF that is not the gateway's."""

from pathlib import Path

import click

from workers.terminal.output_file import OutputFile, write

__all__ = ["configuration"]


@click.command()
@click.option("--base", default="/", show_default=True, help="Path below which OHIF is served.")
@click.option(
    "--dicom-web",
    default="/dicom-web",
    show_default=True,
    help="The gateway's DICOMweb, as browsers reach it: a path on OHIF's own server, or an address.",
)
@click.option("--output", type=OutputFile(dash=True), default=Path("-"), help="File to write [standard output].")
def configuration(base: str, dicom_web: str, output: Path) -> None:
    """Write the app-config.js by which OHIF hangs studies by their labels."""
    from workers.viewer.configuration import app_config

    write(output, app_config(base, dicom_web))
