"""Texts of ours in objects that have the character set of their study, which may hold nothing but ASCII."""

from __future__ import annotations

import unicodedata
from typing import Final

__all__ = ["plain_text"]

#: Most characters of a Code Meaning and of a long string (PS3.5 6.2).
_LONGEST: Final = 64


def plain_text(text: str, otherwise: str) -> str:
    """The text in ASCII, without accents, 64 characters at most; ``otherwise`` where nothing of it is left."""
    letters = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    plain = "".join(letter for letter in letters if letter.isprintable() and letter != "\\")
    return plain[:_LONGEST].strip() or otherwise[:_LONGEST]
