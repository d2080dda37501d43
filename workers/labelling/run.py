"""A run of the label task: what it holds, and what it leaves to others."""

import time
from collections import Counter
from dataclasses import dataclass, field

from workers.broker.queues import LABEL
from workers.labelling.blame import Step

__all__ = ["Run"]

#: Seconds after which a run begins nothing more, well below the time limits of the task.
RUN_SECONDS = 60.0


@dataclass
class Run:
    """A run under way; afterwards, what it did."""

    owner: str
    queue: str
    count: int = 0
    """Instances that it has taken."""
    later: dict[tuple[str, float], list[str]] = field(default_factory=dict)
    """Instances that wait for another run, by their queue and the seconds until it may begin."""
    ends: float = field(default_factory=lambda: time.monotonic() + RUN_SECONDS)
    doubtful: Counter[Step] = field(default_factory=Counter)
    """By step, failures in a row of which nobody can say whose fault they are."""

    def of_new_ones(self) -> "Run":
        """The run that labels new instances between those of this one, which belongs to the backfill."""
        return Run(f"{self.owner}/new", LABEL, later=self.later, ends=self.ends)

    def postpone(self, instance_id: str, seconds: float) -> None:
        """Leave the instance to another run."""
        self.later.setdefault((self.queue, seconds), []).append(instance_id)
