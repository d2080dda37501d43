"""Texts of a data set in the character set that it names (Specific Character Set, PS3.3 C.12.1.1.2)."""

from __future__ import annotations

import re
from typing import Final

from pydicom.charset import python_encoding

__all__ = ["codec", "decoded"]

_SEPARATORS: Final = re.compile(r"[\s_-]+")
#: What switches between character sets inside a text (ISO 2022), and what else is no printable character.
_ESCAPES: Final = re.compile(r"\x1b[\x20-\x2f]+[\x30-\x7e]")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


def _plain(term: str) -> str:
    return _SEPARATORS.sub(" ", term.strip().upper())


_CODECS: Final = {_plain(term): name for term, name in python_encoding.items()}
_LATIN_1: Final = "latin_1"
#: Character sets in which two bytes may be one character, so that they may look like UTF-8.
_OF_MANY_BYTES: Final = ("gb", "euc", "iso2022", "iso_ir_58", "shift_jis")


def codec(specific_character_set: bytes) -> str:
    """Python's name of the last known character set of a value; Latin-1, as the most common, where none is known.

    Of several ones the first is mostly ASCII, and the last is what the rest is written in.
    """
    terms = specific_character_set.decode("ascii", "replace").strip(" \0").split("\\")
    known = [_CODECS[plain] for term in terms if (plain := _plain(term)) in _CODECS and plain]
    return known[-1] if known else _LATIN_1


def decoded(value: bytes, name: str, longest: int) -> str:
    """A text of at most ``longest`` characters without padding; what cannot be decoded is U+FFFD. Never raises.

    Bytes that are valid UTF-8 are taken as such where the file names a character set of single bytes: some writers
    announce what they do not write, and no text of single bytes is valid UTF-8 by accident.
    """
    guessed = name if name.lower().startswith(_OF_MANY_BYTES) else "utf-8"
    try:
        text = value.decode(guessed)
    except UnicodeDecodeError:
        text = value.decode(name, "replace")
    return _CONTROL.sub(" ", _ESCAPES.sub("", text)).strip()[:longest].strip()
