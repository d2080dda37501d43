"""`msk truth`: truths, the labels that people give to instances."""

import getpass
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workers.terminal.bars import in_steps
from workers.terminal.options import state_option

if TYPE_CHECKING:
    from mskmodel.tables.problems import Problem
    from workers.pacs import OrthancClient
    from workers.settings import Settings

__all__ = ["command"]

author_option = click.option(
    "--author",
    default=getpass.getuser,
    show_default="the user",
    envvar="MSK_AUTHOR",
    show_envvar=True,
    help="Your name; kept with every truth.",
)
new_class_option = click.option(
    "--new-class",
    "new_classes",
    multiple=True,
    metavar="KEY",
    help="Also accept this label, which the served model does not know yet. Repeatable.",
)


@click.group()
def command() -> None:
    """Say what instances show, where the model is wrong or abstains.

    A label is a class of the served model, or a kind that it tells apart; none means none of the classes.
    """


@command.command("set")
@click.argument("instance")
@click.argument("label")
@author_option
@new_class_option
@click.option("--side", type=click.Choice(["R", "L", "B"]), help="Right, left or both. [default: as said before]")
@state_option
def set_one(
    instance: str, label: str, author: str, new_classes: tuple[str, ...], side: str | None, state: Path | None
) -> None:
    """Say that INSTANCE (its Orthanc identifier or SOP Instance UID) shows LABEL (none = none of the classes)."""
    from workers.corrections.importing import find_instance
    from workers.terminal.saying import Saying

    settings, orthanc = _connect(state)
    saying = Saying(settings, orthanc, author)
    instance_id = find_instance(orthanc, instance)
    truth = saying.set_truth(instance_id, label, _classes(settings, new_classes), new_classes, side)
    said = [truth.label or "none of the classes", *([truth.side] if truth.side else [])]
    click.echo(f"{instance_id}: {', '.join(said)}")


@command.command()
@click.argument("instance")
@author_option
@state_option
def withdraw(instance: str, author: str, state: Path | None) -> None:
    """Withdraw the truth of INSTANCE, so that the model's label counts again; the history is kept."""
    from workers.corrections.importing import find_instance
    from workers.terminal.saying import Saying

    settings, orthanc = _connect(state)
    saying = Saying(settings, orthanc, author)
    instance_id = find_instance(orthanc, instance)
    saying.withdraw_truth(instance_id)
    click.echo(f"{instance_id}: withdrawn")


@command.command("show")
@click.argument("instance")
@state_option
def show(instance: str, state: Path | None) -> None:
    """Print the truth of INSTANCE with its history as JSON; null if there is none."""
    from workers.corrections.importing import find_instance
    from workers.metadata.truth_changes import get_truth

    _, orthanc = _connect(state)
    truth = get_truth(orthanc, find_instance(orthanc, instance))
    click.echo(json.dumps(json.loads(truth.to_json()) if truth else None, indent=2))


@command.command("import")
@click.argument("source", type=click.Path(path_type=Path, exists=True))
@author_option
@new_class_option
@state_option
def import_all(source: Path, author: str, new_classes: tuple[str, ...], state: Path | None) -> None:
    """Import truths from a CSV, or from a folder that `msk truth export` wrote.

    A CSV has the columns `label` and `instance` or `SOPInstanceUID`. A row with the label ? is not filled in yet and is
    left out; the label none means none of the classes. All other rows are checked before the first is written: if one
    cannot be imported, nothing changes. A row with a `time`, as in an export, is refused if somebody has set another
    truth since. A folder's images are stored in Orthanc before their truths are set.
    """
    from mskmodel.tables.label_cell import UNANSWERED
    from workers.corrections.csv_table import read_truths
    from workers.corrections.deidentified import TABLE, check_files
    from workers.corrections.importing import INSTANCE, SOP_INSTANCE_UID, assign, check_instances
    from workers.metadata.truth import checked_author
    from workers.terminal.saying import Saying

    author = checked_author(author)
    settings, orthanc = _connect(state)
    saying = Saying(settings, orthanc, author)
    classes = _classes(settings, new_classes)
    folder = source.is_dir()
    read, unusable = read_truths(
        source / TABLE if folder else source, ("file",) if folder else (INSTANCE, SOP_INSTANCE_UID)
    )
    rows = [row for row in read if row.label != UNANSWERED]
    with in_steps() as tell:

        def checked(done: int) -> None:
            tell("checking", done, len(rows))

        if folder:
            assignments, problems = check_files(source, rows, classes, checked)
        else:
            assignments, problems = check_instances(orthanc, rows, classes, checked)
        refused = sorted([*problems, *unusable], key=lambda problem: problem.line)
        if not refused:
            problems = assign(
                orthanc,
                assignments,
                lambda instance_id, label: saying.set_truth(instance_id, label, classes, new_classes),
                lambda done: tell("writing", done, len(assignments)),
            )
    if refused:
        total = len(read) + len(unusable)
        click.echo(f"nothing was changed: {len(refused)} of {total} rows cannot be imported", err=True)
    else:
        click.echo(f"{len(assignments) - len(problems)} of {len(assignments)} truths are set")
        if repeats := len(rows) - len(assignments):
            click.echo(f"rows that repeat others: {repeats}; each image counts once", err=True)
    if len(rows) < len(read):
        click.echo(f"{len(read) - len(rows)} rows are not filled in: their label is {UNANSWERED}", err=True)
    _fail_with(refused or problems)


@command.command("export")
@click.argument("target", type=click.Path(path_type=Path))
@state_option
def export(target: Path, state: Path | None) -> None:
    """Export the truths to TARGET: a .csv file, or a new folder with the images, de-identified.

    The folder holds DICOM files that Orthanc has anonymized, and truth.csv, which `msk train`, `msk evaluate` and
    `msk truth import` read. Pixels are not changed: check the images for burned-in names.
    """
    settings, orthanc = _connect(state)
    if target.suffix.lower() == ".csv":
        _export_table(orthanc, target)
    else:
        _export_folder(orthanc, settings, target)


def _export_table(orthanc: "OrthancClient", target: Path) -> None:
    from workers.corrections.csv_table import write_truths
    from workers.corrections.finding import truths

    with in_steps() as tell:
        said, _ = truths(orthanc, None, tell)
    try:
        write_truths(target, ((instance_id, truth.now) for instance_id, truth in said.items()))
    except OSError as error:
        raise click.ClickException(f"{target} cannot be written: {error.strerror}") from error
    click.echo(f"{len(said)} truths in {target}")


def _export_folder(orthanc: "OrthancClient", settings: "Settings", target: Path) -> None:
    from workers.corrections.deidentified import export_folder

    if settings.models is None:
        raise click.ClickException("patient keys need a permanent secret: set MSK_MODELS to a folder that keeps it")
    try:
        with in_steps() as tell:
            written, left_out = export_folder(orthanc, settings.models, target, tell, settings.kinds)
    except OSError as error:
        raise click.ClickException(f"{target} cannot be written: {error.strerror}") from error
    click.echo(f"{written} images in {target}, de-identified; pixels are unchanged")
    for each in left_out:
        click.echo(f"left out: {each.instance}: {each.reason}", err=True)


def _connect(state: Path | None) -> tuple["Settings", "OrthancClient"]:
    from workers.pacs import OrthancClient
    from workers.stack.discovery import find_settings

    settings = find_settings(state)
    orthanc = OrthancClient.of(settings)
    orthanc.system()  # a wrong password is reported once, not for every row
    return settings, orthanc


def _classes(settings: "Settings", new_classes: tuple[str, ...]) -> tuple[str, ...]:
    """What the served model tells apart, and the declared labels."""
    from mskmodel.registry import Registry, read_manifest

    served: dict[str, Any] = read_manifest(Registry(settings.models).promoted())
    return (*served["classes"], *served.get("others", ()), *new_classes)


def _fail_with(problems: list["Problem"]) -> None:
    """List the problems and exit with status 1, if there are any."""
    from mskmodel.tables.problems import listed

    if problems:
        click.echo(listed(problems), err=True)
        raise SystemExit(1)
