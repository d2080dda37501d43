"""The sign of life of the process that keeps the records, in the broker, where everybody can see it."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from workers.records.position import Position

__all__ = ["Heartbeat"]

KEY = "msk:records:heartbeat"
#: Seconds after which a process that gave no further sign counts as gone.
LASTS = 60


@dataclass(frozen=True)
class Heartbeat:
    """Where the process is."""

    time: str
    """ISO 8601, UTC."""
    rows: int
    """Instances in the index."""
    changes: int
    """Number of the last of Orthanc's changes that the index shows."""
    is_behind: bool
    """Whether Orthanc has changes that wait to be followed."""
    hurried: bool
    """Whether the index is being made; ``walked``: how many instances that has put in so far."""
    walked: int

    @classmethod
    def of(cls, position: Position, rows: int, *, is_behind: bool) -> "Heartbeat":
        """Now."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(now, rows, position.changes, is_behind, position.hurried, position.walked)

    def give(self, broker: Any) -> None:
        """Show it. Raises redis.RedisError."""
        broker.set(KEY, json.dumps(self.__dict__), ex=LASTS)

    @classmethod
    def last(cls, broker: Any) -> "Heartbeat | None":
        """The last one; None where no process lives. Raises redis.RedisError."""
        text = broker.get(KEY)
        try:
            return None if text is None else cls(**json.loads(text))
        except (TypeError, ValueError):  # of another version
            return None
