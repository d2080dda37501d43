"""Progress bars on standard error."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from mskmodel.training.loop import Progress as TrainingProgress
    from workers.corrections.finding import Progress

__all__ = ["TrainingBar", "counting", "in_steps", "through"]

T = TypeVar("T")


@contextmanager
def in_steps() -> Iterator["Progress"]:
    """A bar, shown while its ``with`` block runs; yields a function to call with step, number done, and total."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda step, done, total: bar.update(task, description=step, completed=min(done, total), total=total)


@contextmanager
def counting(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """`in_steps` with one step; yields a function to call with the number done."""
    with in_steps() as tell:
        tell(what, 0, total)
        yield lambda done: tell(what, done, total)


def through(what: str) -> Callable[[Sequence[T]], Iterator[T]]:
    """A function that yields the items of a sequence, and shows the progress."""

    def go(items: Sequence[T]) -> Iterator[T]:
        with counting(what, len(items)) as show:
            for done, item in enumerate(items, 1):
                yield item
                show(done)

    return go


class TrainingBar:
    """A training run, shown while its ``with`` block runs: steps, loss, pictures a second, time left."""

    def __init__(self, name: str = "training") -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        fields = TextColumn("loss {task.fields[loss]:.3f}  {task.fields[speed]:.0f} pictures/s")
        columns = (TextColumn(name), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), fields)
        self._progress = Progress(*columns, console=Console(stderr=True))
        self._task = self._progress.add_task(name, total=None, loss=0.0, speed=0.0)

    def __enter__(self) -> "TrainingBar":
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def show(self, progress: "TrainingProgress") -> None:
        """Update the bar; to be called after each training step."""
        now = {"completed": progress.step, "total": progress.steps}
        self._progress.update(self._task, **now, loss=progress.loss, speed=progress.pictures_per_second)  # type: ignore[arg-type]
