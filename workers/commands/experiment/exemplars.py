"""`msk experiment exemplars`: real radiographs to rehearse, as small pictures with their licences."""

from pathlib import Path

import click

from workers.terminal.bars import through
from workers.terminal.skip_option import skip_rules

__all__ = ["exemplars"]


@click.command()
@click.argument("images", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("labels", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--skip", multiple=True, metavar="COLUMN=TEXT", help="Leave out rows with TEXT in COLUMN, such as doubtful ones."
)
@click.option("--most", type=click.IntRange(1), help="Of each label, from as many sources and patients as there are.")
def exemplars(images: Path, labels: Path, out: Path, skip: tuple[str, ...], most: int | None) -> None:
    """Write the radiographs of IMAGES that may be passed on to OUT, framed as the network sees them.

    LABELS is a CSV: file, label (a known view, or none), shows, patient, licence, attribution, source. Rows whose
    licence is neither CC0, public domain nor CC BY are left out, and listed. Training jobs rehearse the exemplars that
    come with the program, in mskmodel/exemplars.
    """
    from mskmodel.data.dataset import read_pictures
    from mskmodel.data.exemplars import COLUMNS, is_free, select, write_exemplars
    from mskmodel.data.labels_file import labelled_rows
    from mskmodel.labels import BY_KEY
    from mskmodel.network.preprocessing import Preprocessing
    from mskmodel.tables.table import read_table

    table = read_table(labels, *COLUMNS)
    (rules,) = skip_rules(skip, [table])
    by_line = {row.line: row for row in table.rows}
    listed = labelled_rows(table, images, tuple(BY_KEY), rules)
    free = [row for row in listed if is_free(by_line[row.line]["licence"])]
    for row in listed:
        if row not in free:
            click.echo(f"left out: {row.file}: its licence does not allow it", err=True)
    if most:
        wanted = {row.line for row in select([by_line[row.line] for row in free], most)}
        free = [row for row in free if row.line in wanted]
    reading = read_pictures(free, tuple(BY_KEY), Preprocessing(), through("reading"))
    for one in reading.unreadable:
        click.echo(str(one), err=True)
    write_exemplars(out, reading.pictures, [by_line[row.line] for row in reading.rows])
    click.echo(f"{len(reading.rows)} exemplars in {out}")
