"""A report's table on a terminal."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mskmodel.judging.report import Table

__all__ = ["on_screen"]


def on_screen(table: "Table") -> Any:
    """The table for rich to print. If it is too wide, its last column is folded."""
    from rich.markup import escape
    from rich.table import Table as Screen

    shown = Screen(*table.head, box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for column in shown.columns[:-1]:
        column.no_wrap = True
    shown.columns[-1].overflow = "fold"
    for row in table.rows:
        shown.add_row(*(escape(cell) for cell in row))
    return shown
