"""`--skip COLUMN=TEXT`: rows of labels files that are left out, such as those of a licence that forbids it."""

from collections.abc import Sequence
from pathlib import Path

import click

__all__ = ["SkipRules", "skip_rules"]

#: For each labels file, the columns that it has, with the text that a row must not have there.
SkipRules = dict[Path, list[tuple[str, str]]]


def skip_rules(given: Sequence[str], files: Sequence[Path]) -> SkipRules:
    """What was typed, by file. A rule that applies to no file is an error: what it was to keep out would come in."""
    from mskmodel.data.dataset import LabelsError, columns_of

    rules = [rule.partition("=") for rule in given]
    if any(not column or not text for column, _, text in rules):
        raise click.BadParameter("it is COLUMN=TEXT, both of them", param_hint="--skip")
    try:
        columns = {file: columns_of(file) for file in files}
    except LabelsError as error:
        raise click.ClickException(str(error)) from error
    nowhere = sorted({column for column, _, _ in rules if not any(column in found for found in columns.values())})
    if nowhere:
        raise click.BadParameter(f"no labels file has a column {', '.join(nowhere)}", param_hint="--skip")
    return {file: [(column, text) for column, _, text in rules if column in columns[file]] for file in files}
