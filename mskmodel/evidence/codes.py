"""Codes that the standard has for regions and views, by what it calls them."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Final

from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from mskmodel.radiograph import HeaderCode

__all__ = ["meaning_of"]

#: Anatomy Imaged, View, View Modifier, Laterality (PS3.16 CID 4009, 4010, 4011, 244).
_CONTEXT_GROUPS: Final = ("cid4009", "cid4010", "cid4011", "cid244")


def meaning_of(code: HeaderCode) -> str:
    """What the standard calls the code, in SNOMED CT or in the older SNOMED RT; else what the file calls it."""
    return _standard_meaning(code.value, code.scheme) or code.meaning


@lru_cache(4096)
def _standard_meaning(value: str, scheme: str) -> str:
    sought = Code(value, scheme, "")
    return next((known.meaning for known in _known() if known == sought), "")


@cache
def _known() -> tuple[Code, ...]:
    groups = (getattr(codes, name) for name in _CONTEXT_GROUPS)
    return tuple(getattr(group, keyword) for group in groups for keyword in group.dir())
