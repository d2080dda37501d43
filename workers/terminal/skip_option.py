"""`--skip COLUMN=TEXT`: rows of labels files that are left out, for example because of their licence."""

from collections.abc import Sequence
from pathlib import Path

import click

__all__ = ["SkipRules", "skip_rules"]

#: For each labels file, the rules that apply to it: a column, and the text with which a row is left out.
SkipRules = dict[Path, list[tuple[str, str]]]


def skip_rules(given: Sequence[str], files: Sequence[Path]) -> SkipRules:
    """The given rules, by file. A rule for a column of no file is an error, or it would fail to leave out rows."""
    from mskmodel.data.dataset import LabelsError, columns_of

    rules = [rule.partition("=") for rule in given]
    if any(not column or not text for column, _, text in rules):
        raise click.BadParameter("give COLUMN=TEXT, neither part empty", param_hint="--skip")
    try:
        columns = {file: columns_of(file) for file in files}
    except LabelsError as error:
        raise click.ClickException(str(error)) from error
    nowhere = sorted({column for column, _, _ in rules if not any(column in found for found in columns.values())})
    if nowhere:
        raise click.BadParameter(f"no labels file has a column {', '.join(nowhere)}", param_hint="--skip")
    return {file: [(column, text) for column, _, text in rules if column in columns[file]] for file in files}
