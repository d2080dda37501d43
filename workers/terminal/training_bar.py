"""The progress of a training run on standard error: steps, loss, pictures a second, time left."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mskmodel.training.loop import Progress

__all__ = ["TrainingBar"]


class TrainingBar:
    """Shown while its ``with`` block runs."""

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

    def show(self, progress: "Progress") -> None:
        """After each step of training."""
        now = {"completed": progress.step, "total": progress.steps}
        self._progress.update(self._task, **now, loss=progress.loss, speed=progress.pictures_per_second)  # type: ignore[arg-type]
