"""`msk truth`: what people say that instances show."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workers.terminal.bars import in_steps
from workers.terminal.options import state_option

if TYPE_CHECKING:
    from workers.corrections.csv_table import Problem
    from workers.pacs import OrthancClient
    from workers.settings import Settings

__all__ = ["command"]

#: Problems that are listed.
SHOWN = 50

author_option = click.option(
    "--author", required=True, envvar="MSK_AUTHOR", show_envvar=True, help="Who says so; kept with every truth."
)
new_class_option = click.option(
    "--new-class",
    "new_classes",
    multiple=True,
    metavar="KEY",
    help="Also take this label, which the served model does not know yet. Repeatable.",
)


@click.group()
def command() -> None:
    """Say what instances show, where the model is wrong or cannot tell.

    A label is one of the classes of the model that is served; an empty one is none of them.
    """


@command.command("set")
@click.argument("instance")
@click.argument("label")
@author_option
@new_class_option
@state_option
def set_one(instance: str, label: str, author: str, new_classes: tuple[str, ...], state: Path | None) -> None:
    """Say that INSTANCE (its Orthanc identifier or SOP Instance UID) shows LABEL ('' = none of the classes)."""
    from workers.corrections.importing import find_instance
    from workers.metadata.truth_changes import set_truth

    settings, orthanc = _connect(state)
    instance_id = find_instance(orthanc, instance)
    truth = set_truth(orthanc, instance_id, label, author, _classes(settings, new_classes))
    click.echo(f"{instance_id}: {truth.label or 'none of the classes'}")


@command.command()
@click.argument("instance")
@author_option
@state_option
def withdraw(instance: str, author: str, state: Path | None) -> None:
    """Take back what people said of INSTANCE, so that the model's word counts again; that they said it is kept."""
    from workers.corrections.importing import find_instance
    from workers.metadata.truth_changes import withdraw_truth

    _, orthanc = _connect(state)
    instance_id = find_instance(orthanc, instance)
    withdraw_truth(orthanc, instance_id, author)
    click.echo(f"{instance_id}: withdrawn")


@command.command("show")
@click.argument("instance")
@state_option
def show(instance: str, state: Path | None) -> None:
    """Print what people said of INSTANCE and when, as JSON; null where nobody did."""
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
    """Take what a CSV says, or a folder that `msk truth export` wrote.

    A CSV has the columns `label` and `instance` or `SOPInstanceUID`. Rows with the label ? are not filled in yet and
    are passed over; an empty label is none of the classes. Every other row is checked before the first is written:
    where one cannot be taken, nothing changes. A row with a `time`, as an export has it, is not taken where somebody
    has said something else since. A folder's images are stored in Orthanc, then named.
    """
    from workers.corrections.csv_table import UNANSWERED, read_table
    from workers.corrections.deidentified import TABLE, check_files
    from workers.corrections.importing import INSTANCE, SOP_INSTANCE_UID, assign, check_instances
    from workers.metadata.truth import checked_author

    author = checked_author(author)
    settings, orthanc = _connect(state)
    classes = _classes(settings, new_classes)
    folder = source.is_dir()
    read, unusable = read_table(
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
            problems = assign(orthanc, assignments, author, classes, lambda d: tell("writing", d, len(assignments)))
    if refused:
        total = len(read) + len(unusable)
        click.echo(f"nothing was changed: {len(refused)} of {total} rows cannot be taken", err=True)
    else:
        click.echo(f"{len(assignments) - len(problems)} of {len(assignments)} truths are set")
    if len(rows) < len(read):
        click.echo(f"{len(read) - len(rows)} rows are not filled in: their label is {UNANSWERED}", err=True)
    _fail_with(refused or problems)


@command.command("export")
@click.argument("target", type=click.Path(path_type=Path))
@state_option
def export(target: Path, state: Path | None) -> None:
    """Write what people said to TARGET: a .csv file, or a new folder with the images, de-identified.

    The folder holds DICOM files that Orthanc has anonymized, and truth.csv, which `msk train`, `msk evaluate` and
    `msk truth import` read. Pixels stay as they are: look whether any has a name burned in.
    """
    settings, orthanc = _connect(state)
    if target.suffix.lower() == ".csv":
        _export_table(orthanc, target)
    else:
        _export_folder(orthanc, settings, target)


def _export_table(orthanc: "OrthancClient", target: Path) -> None:
    from workers.corrections.csv_table import write_table
    from workers.corrections.finding import truths

    with in_steps() as tell:
        said, _ = truths(orthanc, None, tell)
    try:
        write_table(target, ((instance_id, truth.now) for instance_id, truth in said.items()))
    except OSError as error:
        raise click.ClickException(f"{target} cannot be written: {error.strerror}") from error
    click.echo(f"{len(said)} truths in {target}")


def _export_folder(orthanc: "OrthancClient", settings: "Settings", target: Path) -> None:
    from workers.corrections.deidentified import export_folder

    if settings.models is None:
        raise click.ClickException("the keys of patients need a secret that stays: set MSK_MODELS to a folder")
    try:
        with in_steps() as tell:
            written, left_out = export_folder(orthanc, settings.models, target, tell)
    except OSError as error:
        raise click.ClickException(f"{target} cannot be written: {error.strerror}") from error
    click.echo(f"{written} images in {target}, de-identified; pixels are as they were")
    for each in left_out:
        click.echo(f"left out: {each.instance}: {each.reason}", err=True)


def _connect(state: Path | None) -> tuple["Settings", "OrthancClient"]:
    from workers.pacs import OrthancClient
    from workers.stack.discovery import find_settings

    settings = find_settings(state)
    orthanc = OrthancClient(settings.orthanc_url, settings.orthanc_user, settings.orthanc_password)
    orthanc.system()  # a wrong password is told at once, and not of every row
    return settings, orthanc


def _classes(settings: "Settings", new_classes: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the model that is served, and the ones declared."""
    from mskmodel.registry import Registry, read_manifest

    served: dict[str, Any] = read_manifest(Registry(settings.models).promoted())
    return (*served["classes"], *new_classes)


def _fail_with(problems: list["Problem"]) -> None:
    """List them and end with status 1, if there are any."""
    for problem in problems[:SHOWN]:
        click.echo(str(problem), err=True)
    if len(problems) > SHOWN:
        click.echo(f"... and {len(problems) - SHOWN} more", err=True)
    if problems:
        raise SystemExit(1)
