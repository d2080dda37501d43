"""`--skip COLUMN=TEXT`: rows of labels files that are left out, for example because of their licence."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from mskmodel.tables.table import Table

__all__ = ["SkipRules", "skip_rules"]

#: The rules that apply to a table: a column, and the text with which a row is left out.
SkipRules = list[tuple[str, str]]


def skip_rules(given: Sequence[str], tables: Sequence["Table"]) -> list[SkipRules]:
    """The given rules, by table. A rule for a column of no table is an error, or it would fail to leave out rows."""
    rules = [rule.partition("=") for rule in given]
    if any(not column or not text for column, _, text in rules):
        raise click.BadParameter("give COLUMN=TEXT, neither part empty", param_hint="--skip")
    nowhere = sorted({column for column, _, _ in rules if not any(table.has(column) for table in tables)})
    if nowhere:
        raise click.BadParameter(f"no labels file has a column {', '.join(nowhere)}", param_hint="--skip")
    return [[(column, text) for column, _, text in rules if table.has(column)] for table in tables]
