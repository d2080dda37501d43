"""The keys of a search for what is rewritten, and which labels match them.

Values match as Orthanc's plugin matches them: whatever the case, with the wildcards `*` and `?`, and with commas or
backslashes between several of them. An item of a sequence is named by a path, as in
`AnatomicRegionSequence.CodeValue=72696002`; Orthanc itself ignores such keys.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydicom.datadict import tag_for_keyword

from mskmodel.labels import known_labels
from workers.dicomweb.attributes import NAMES, Elements, attributes_of
from workers.records.shown import Shown, Wanted

__all__ = ["Key", "Query", "tag_of"]

_TAG = re.compile(r"([0-9A-Fa-f]{4})[,-]?([0-9A-Fa-f]{4})")
#: What an instance may be said to be beside its label.
_SIDES, _MODALITIES = ("", "R", "L", "B"), ("", "CR")


def tag_of(name: str) -> str:
    """The tag of eight digits that a part of a key's name is, "" for none."""
    if found := _TAG.fullmatch(name):
        return f"{found[1]}{found[2]}".upper()
    tag = tag_for_keyword(name)
    return "" if tag is None else f"{tag:08X}"


@dataclass(frozen=True)
class Key:
    """A key for an attribute that may be rewritten."""

    path: tuple[str, ...]
    """Tags: of the attribute, and of what is in its items."""
    value: str

    @property
    def orthanc_has_it(self) -> bool:
        """Whether Orthanc matches such a key."""
        return len(self.path) == 1

    def matches(self, told: Elements) -> bool:
        """Whether an attribute that is told has such a value."""
        patterns = _patterns(self.value)
        return any(pattern.fullmatch(each) for each in _values(told, self.path) for pattern in patterns)


@dataclass(frozen=True)
class Query:
    """The keys of a search for what may be rewritten."""

    keys: tuple[Key, ...]

    @classmethod
    def of(cls, parameters: Sequence[tuple[str, str]]) -> "tuple[Query, list[tuple[str, str]]]":
        """Such keys, and the other parameters of the query. A key without a value matches everything, and is none."""
        keys, others = [], []
        for name, value in parameters:
            path = tuple(tag_of(part) for part in name.split("."))
            if value and path[0] in NAMES and all(path):
                keys.append(Key(path, value))
            else:
                others.append((name, value))
        return cls(tuple(keys)), others

    def left_to_header(self, shown: Shown) -> tuple[Key, ...] | None:
        """Keys for attributes that are not rewritten where this is shown; None where what is told does not match."""
        told = attributes_of(shown)
        covered = [key for key in self.keys if key.path[0] in told]
        if not all(key.matches(told) for key in covered):
            return None
        return tuple(key for key in self.keys if key not in covered)

    def by_label(self) -> dict[tuple[Key, ...], list[Wanted]]:
        """What instances may show that match, by the keys that are left to their headers; at least one key is not."""
        found: dict[tuple[Key, ...], dict[tuple[str, bool], set[str]]] = {}
        for label in known_labels():
            for side in _SIDES:
                for modality in _MODALITIES:
                    left = self.left_to_header(Shown(label, side, modality))
                    if left is not None and left != self.keys:
                        found.setdefault(left, {}).setdefault((side, modality == "CR"), set()).add(label)
        return {
            left: [Wanted(frozenset(labels), side, is_cr) for (side, is_cr), labels in groups.items()]
            for left, groups in found.items()
        }


def _values(elements: Mapping[str, Any], path: Sequence[str]) -> list[str]:
    values = elements.get(path[0], {}).get("Value", [])
    if len(path) > 1:
        return [value for item in values for value in _values(item, path[1:])]
    return [str(value) for value in values]


@lru_cache(256)
def _patterns(value: str) -> tuple[re.Pattern[str], ...]:
    """Of the value as a whole, and of its parts: a description may have commas of its own."""
    return tuple(_expression(each) for each in {value, *re.split(r"[,\\]", value)})


def _expression(pattern: str) -> re.Pattern[str]:
    parts = (".*" if letter == "*" else "." if letter == "?" else re.escape(letter) for letter in pattern)
    return re.compile("".join(parts), re.IGNORECASE | re.DOTALL)
