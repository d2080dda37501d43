"""Progress bars on standard error, which vanish when what they count is done."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from workers.corrections.finding import Progress

__all__ = ["counting", "in_steps", "through"]

T = TypeVar("T")


@contextmanager
def in_steps() -> Iterator["Progress"]:
    """Shown while its ``with`` block runs; what it yields is told the step, how much of it is done, and of how much."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda step, done, total: bar.update(task, description=step, completed=min(done, total), total=total)


@contextmanager
def counting(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """`in_steps` with one step; what it yields is told how much is done."""
    with in_steps() as tell:
        tell(what, 0, total)
        yield lambda done: tell(what, done, total)


def through(what: str) -> Callable[[Sequence[T]], Iterator[T]]:
    """A function that goes through a sequence and shows how far it is."""

    def go(items: Sequence[T]) -> Iterator[T]:
        with counting(what, len(items)) as show:
            for done, item in enumerate(items, 1):
                yield item
                show(done)

    return go
