"""What the site's headers are worth, published by the records' process to the broker, and read from there.

Label workers know Orthanc and the broker alone. Where nothing is published, or it cannot be read, they go by the prior.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from redis import RedisError

from mskmodel.evidence.reliability import PRIOR, Reliability

__all__ = ["Publication", "Published", "is_published", "publish"]

KEY = "msk:evidence:reliability"
SCHEMA = 1
#: Seconds for which what was read is taken to be true.
FRESH_SECONDS = 5.0


@dataclass(frozen=True)
class Publication:
    """Counts of what headers went with, when they were made, and where a person can look."""

    reliability: Reliability = PRIOR
    time: str = ""
    """ISO 8601, UTC; empty for the prior."""
    examples: Mapping[str, str] = field(default_factory=dict)
    """By code of the site, the Orthanc identifier of an instance that carries it."""

    @classmethod
    def now(cls, reliability: Reliability, examples: Mapping[str, str]) -> "Publication":
        """Made at this moment."""
        return cls(reliability, datetime.now(UTC).isoformat(timespec="seconds"), examples)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        reliability = self.reliability.to_json()
        return {"schema": SCHEMA, "time": self.time, "examples": dict(self.examples), "reliability": reliability}

    @classmethod
    def from_json(cls, values: Any) -> "Publication":
        """From `to_json`. Raises ValueError for anything else, other schemas included."""
        try:
            if values["schema"] != SCHEMA:
                raise ValueError("this publication is of another version")
            examples = {str(code): str(instance) for code, instance in values["examples"].items()}
            return cls(Reliability.from_json(values["reliability"]), str(values["time"]), examples)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("this is no publication") from error


def publish(broker: Any, publication: Publication) -> None:
    """Let label workers read it. Raises redis.RedisError."""
    broker.set(KEY, json.dumps(publication.to_json(), separators=(",", ":")))


def is_published(broker: Any) -> bool:
    """Whether anything is; a broker may have lost it. Raises redis.RedisError."""
    return bool(broker.exists(KEY))


class Published:
    """Reads what is published, at most every few seconds. ``broker``: a client of the broker."""

    def __init__(self, broker: Any) -> None:
        self._broker = broker
        self._read = Publication()
        self._text: str | None = None
        self._until = 0.0

    def latest(self) -> Publication:
        """What was published last; the prior where nothing was, or something that this version cannot read.

        While the broker does not answer, what was read before.
        """
        if time.monotonic() >= self._until:
            self._until = time.monotonic() + FRESH_SECONDS
            try:
                text = self._broker.get(KEY)
            except RedisError:
                return self._read
            if text != self._text:
                self._text, self._read = text, _parsed(text)
        return self._read


def _parsed(text: str | None) -> Publication:
    try:
        return Publication() if text is None else Publication.from_json(json.loads(text))
    except (ValueError, RecursionError):
        return Publication()
