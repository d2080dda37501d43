"""`msk export`: copies of labelled images, with headers that say what they show."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from workers.terminal.bars import counting
from workers.terminal.options import json_option, state_option

if TYPE_CHECKING:
    from workers.pacs import OrthancClient
    from workers.results.exporting import Destination, Export

__all__ = ["command"]

#: Most problems that are listed; --json lists all.
SHOWN = 50
FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.argument("studies", nargs=-1, metavar="[STUDY]...")
@click.option("--all", "everything", is_flag=True, help="All studies that Orthanc holds.")
@click.option("--label", "labels", multiple=True, metavar="KEY", help="Only images with this label. Repeatable.")
@click.option("--folder", type=FOLDER, help="Write them to this folder.")
@click.option("--node", metavar="HOST:PORT", help="Send them to this DICOM node, by C-STORE.")
@click.option("--called-aet", default="ANY-SCP", show_default=True, help="The node's application entity title.")
@click.option("--aet", default="MSKEXPORT", show_default=True, help="Our application entity title for the node.")
@click.option("--modality", metavar="NAME", help="Have Orthanc send them to this one of its DicomModalities.")
@click.option("--peer", metavar="NAME", help="Have Orthanc send them to this one of its OrthancPeers.")
@state_option
@json_option
def command(
    studies: tuple[str, ...],
    everything: bool,
    labels: tuple[str, ...],
    folder: Path | None,
    node: str | None,
    called_aet: str,
    aet: str,
    modality: str | None,
    peer: str | None,
    state: Path | None,
    as_json: bool,
) -> None:
    """Copy the labelled images of each STUDY (Study Instance UID, or Orthanc's identifier) to one place.

    The headers of the copies say what the images show, by what a person said, else by the label; each view becomes a
    series of its own. Pixels stay as they are, and so do the originals. A repeat makes the same objects. Copies show
    patients' names, as their originals do. Exit 1 if any image was not exported that has a label.
    """
    from workers.pacs import OrthancClient
    from workers.results.archive import all_studies
    from workers.results.exporting import export
    from workers.stack.discovery import find_settings

    if bool(studies) == everything:
        raise click.UsageError("name studies, or say --all")
    if sum(each is not None for each in (folder, node, modality, peer)) != 1:
        raise click.UsageError("say where to: one of --folder, --node, --modality and --peer")
    _check_labels(labels)
    orthanc = OrthancClient.of(find_settings(state))
    destination = _destination(orthanc, folder, node, (called_aet, aet), modality, peer)
    total = orthanc.statistics().studies if everything else len(studies)
    chosen: Iterable[str] = all_studies(orthanc) if everything else studies
    with counting("studies", total) as show:
        done = export(orthanc, chosen, destination, frozenset(labels), show)
    _print(done, as_json)
    if done.problems:
        raise SystemExit(1)


def _check_labels(labels: tuple[str, ...]) -> None:
    from mskmodel.labels import known_labels

    for key in labels:
        if key not in known_labels():
            raise click.UsageError(f"{key} is no label: {', '.join(sorted(known_labels()))}")


def _destination(
    orthanc: "OrthancClient",
    folder: Path | None,
    node: str | None,
    titles: tuple[str, str],
    modality: str | None,
    peer: str | None,
) -> "Destination":
    from workers.pacs.send import Target
    from workers.results.destinations import Folder, KnownToOrthanc, Node

    if folder is not None:
        return Folder(folder)
    if node is not None:
        host, _, port = node.rpartition(":")
        if not (host and port.isascii() and port.isdigit() and 0 < int(port) < 65536):
            raise click.UsageError("--node is a host and a port, as in pacs:104")
        return Node(Target(host.strip("[]"), int(port), *titles))
    known = KnownToOrthanc(orthanc, "modalities" if modality else "peers", modality or peer or "")
    known.check()
    return known


def _print(done: "Export", as_json: bool) -> None:
    if as_json:
        told = [{"what": what, "reason": reason} for what, reason in done.problems]
        click.echo(json.dumps(asdict(done) | {"problems": told}))
        return
    series = len({each.series for each in done.copies})
    click.echo(
        f"{len(done.copies)} images exported, in {series} series; "
        f"{done.left_out} left out, which have no label"
        + (f", and {done.not_asked_for} with other labels" if done.not_asked_for else "")
    )
    for what, reason in done.problems[:SHOWN]:
        click.echo(f"not exported: {what}: {reason}", err=True)
    if len(done.problems) > SHOWN:
        click.echo(f"and {len(done.problems) - SHOWN} more that were not exported; --json lists all", err=True)
