"""What the header of one radiograph claims, in mapped terms: nothing of its own words is kept.

Where a field in which a site writes its own codes says nothing that the vocabulary knows, the claim is a keyed hash of
what it says: the same text gives the same code, and nobody without the site's secret can find the text by trying.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["BODY_PART", "FIELDS", "REGION", "VIEW", "Claim", "Claims", "is_code"]

REGION, VIEW = "region", "view"

BODY_PART = "body part"
#: The fields that can claim something.
FIELDS = (
    BODY_PART,
    "anatomic region",
    "view position",
    "view code",
    "study description",
    "series description",
    "protocol",
)


@dataclass(frozen=True)
class Claim:
    """What one field says of the region or of the view."""

    #: One of `FIELDS`.
    field: str
    #: ``region`` or ``view``.
    kind: str
    #: Sorted, at least one: terms of `REGION_TERMS` or `VIEW_TERMS`, any of which may be meant ("2 views" of a joint
    #: are AP and lateral); or the one code of a site, ``#`` and 12 hexadecimal digits.
    terms: tuple[str, ...]


@dataclass(frozen=True)
class Claims:
    """What the header of one radiograph says."""

    claims: tuple[Claim, ...] = ()
    #: ``R``, ``L``, ``B`` (both), or ``""`` where the header does not say or contradicts itself.
    side: str = ""
    #: Keyed hash of modality and station, 12 hexadecimal digits; ``""`` where the file names neither.
    group: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values: mapped terms and hashes."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Claims:
        """From ``to_json``. KeyError or TypeError if it is none."""
        claims = (Claim(str(one["field"]), str(one["kind"]), tuple(map(str, one["terms"]))) for one in values["claims"])
        return cls(tuple(claims), str(values["side"]), str(values["group"]))


def is_code(term: str) -> bool:
    """Whether this is a site's own code and no term."""
    return term.startswith("#")
