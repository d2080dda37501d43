"""The request for a training job; checks that need nothing but the request itself."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from mskmodel.tables.label_cell import NONE

__all__ = ["IMAGENET_BASE", "PROMOTED_BASE", "InvalidRequest", "JobRequest"]

#: Bases that are not names of versions: the version that is served when the job starts, and ImageNet weights.
PROMOTED_BASE, IMAGENET_BASE = "promoted", "imagenet"

_CLASS = re.compile(r"[A-Za-z0-9_-]{1,60}")
#: Least and greatest value of each number.
_RANGES: Mapping[str, tuple[float, float]] = {
    "epochs": (1, 500),
    "views": (50, 1_000_000),
    "rate": (1e-6, 1.0),
    "seed": (0, 2**31 - 1),
    "rehearsal": (0, 20_000),
    "minimum": (1, 100_000),
}
_MOST_CLASSES = 1000


class InvalidRequest(ValueError):
    """A training job cannot be done as requested. The message says why, for the person who submitted it."""


@dataclass(frozen=True)
class JobRequest:
    """What a training job should do. Raises InvalidRequest."""

    base: str = PROMOTED_BASE
    """`promoted`, another version, or `imagenet`. One that a job made stands for the one that the job started from."""
    classes: tuple[str, ...] | None = None
    """Keys; None for those of the base."""
    epochs: int = 2
    """Of each run; a job does four, each without a fourth of the patients."""
    views: int = 600
    """Pictures drawn per epoch, however many there are."""
    rate: float = 0.008
    """Highest learning rate."""
    seed: int = 1
    instances: tuple[str, ...] | None = None
    """Orthanc identifiers of the instances to learn from; None for all that have a truth."""
    rehearsal: int = 260
    """Phantoms to rehearse, so that the model does not forget what the corrections do not show; 0 for none."""
    approve: bool = False
    """Wait for a person to promote the version after it has passed the gate."""
    minimum: int = 5
    """Fewest images of each class to learn from, phantoms included."""

    def __post_init__(self) -> None:
        """Check every field by itself."""
        for name, (least, greatest) in _RANGES.items():
            value = getattr(self, name)
            kinds = (int, float) if name == "rate" else (int,)
            if not isinstance(value, kinds) or isinstance(value, bool) or not least <= value <= greatest:
                raise InvalidRequest(f"{name} must be a number from {least:g} to {greatest:g}, not {value!r}")
        if not isinstance(self.base, str) or not self.base:
            raise InvalidRequest(f"base must be the name of a version, {PROMOTED_BASE} or {IMAGENET_BASE}")
        if not isinstance(self.approve, bool):
            raise InvalidRequest("approve must be true or false")
        self._check_classes()
        if self.instances is not None:
            object.__setattr__(self, "instances", _texts("instances", self.instances))

    def _check_classes(self) -> None:
        if self.classes is None:
            return
        classes = _texts("classes", self.classes)
        object.__setattr__(self, "classes", classes)
        if wrong := [key for key in classes if not _CLASS.fullmatch(key)]:
            raise InvalidRequest(f"{wrong[0]!r} cannot be a class: use letters, digits, _ and -, at most 60")
        if NONE in classes:
            raise InvalidRequest(f"{NONE} cannot be a class: it stands for none of the classes")
        if not 2 <= len(classes) <= _MOST_CLASSES:
            raise InvalidRequest(f"there must be 2 to {_MOST_CLASSES} classes, not {len(classes)}")

    def to_json(self) -> str:
        """Compact JSON."""
        return json.dumps(asdict(self), separators=(",", ":"), allow_nan=False)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "JobRequest":
        """From a JSON object; missing fields get their defaults. InvalidRequest for unknown fields."""
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(values) - known):
            raise InvalidRequest(f"unknown: {', '.join(unknown)}; a job request has {', '.join(sorted(known))}")
        return cls(**values)


def _texts(name: str, values: Sequence[str]) -> tuple[str, ...]:
    if not isinstance(values, list | tuple) or not all(isinstance(value, str) for value in values):
        raise InvalidRequest(f"{name} must be a list of strings")
    if not values:
        raise InvalidRequest(f"{name} must not be empty; leave it out for all")
    if twice := next((value for value in values if values.count(value) > 1), None) if len(values) < 2000 else None:
        raise InvalidRequest(f"{name} has {twice!r} twice")
    return tuple(dict.fromkeys(values))
