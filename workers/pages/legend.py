"""The keys by which a reviewer says what a picture shows: first the joint's, then the view's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_lowercase

from mskmodel.labels import parts_of
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
    joints: dict[str, list[str]] = {}
    for key in classes:
        joints.setdefault(parts_of(key)[0] or key, []).append(key)
    letters = _letters({joint: joint for joint in joints}, NONE_KEY)
    return [Joint(display(joint), letters[joint], _entries(keys)) for joint, keys in joints.items()]


def _entries(keys: Sequence[str]) -> tuple[Entry, ...]:
    """The classes of a joint; a view may have several, and so may none."""
    views = {key: parts_of(key)[1] for key in keys}
    plain = next((key for key in keys if not views[key]), None)
    letters = _letters({key: view or key for key, view in views.items() if key != plain}, "")
    if plain:
        letters[plain] = NO_VIEW if len(keys) > 1 else ""
    return tuple(Entry(key, display(key), letters[key]) for key in keys)


def _letters(words: Mapping[str, str], taken: str) -> dict[str, str]:
    """A letter for each name, from its word: its first one that is free, else any that is, else ""."""
    found: dict[str, str] = {}
    for name, word in words.items():
        free = (letter for letter in word.lower() + ascii_lowercase if letter in ascii_lowercase)
        found[name] = next((letter for letter in free if letter not in taken and letter not in found.values()), "")
    return found
