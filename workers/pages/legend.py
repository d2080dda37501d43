"""The keys by which a reviewer says what a picture shows: first the joint's, then the view's."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from string import ascii_lowercase

from mskmodel.evidence.terms import class_parts
from workers.pages.wording import display

__all__ = ["NONE_KEY", "Entry", "Joint", "legend"]

#: Says that it is none of the classes.
NONE_KEY = "n"
#: Second key of a class without a view, whose joint has classes with one.
NO_VIEW = "."


@dataclass(frozen=True)
class Entry:
    """A class. ``letter``: its second key; "" where the first one says it all."""

    key: str
    display: str
    letter: str


@dataclass(frozen=True)
class Joint:
    """The classes of a joint. ``letter``: their first key; "" where all letters are taken."""

    name: str
    letter: str
    entries: tuple[Entry, ...]


def legend(classes: Sequence[str]) -> list[Joint]:
    """Keys for these classes, by joint. They depend on the order of the classes alone, so that they stay put."""
    joints: dict[str, dict[str, str]] = {}
    for key in classes:
        region, view = class_parts(key)
        joints.setdefault(region, {})[view] = key
    letters = _letters(joints, NONE_KEY)
    return [Joint(display(region), letters[region], _entries(views)) for region, views in joints.items()]


def _entries(views: dict[str, str]) -> tuple[Entry, ...]:
    letters = _letters(filter(None, views), "") | {"": NO_VIEW if len(views) > 1 else ""}
    return tuple(Entry(key, display(key), letters[view]) for view, key in views.items())


def _letters(words: Iterable[str], taken: str) -> dict[str, str]:
    """A letter for each word: its first one that is free, else any that is, else ""."""
    found: dict[str, str] = {}
    for word in words:
        free = (letter for letter in word.lower() + ascii_lowercase if letter in ascii_lowercase)
        found[word] = next((letter for letter in free if letter not in taken and letter not in found.values()), "")
    return found
