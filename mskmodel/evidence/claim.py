"""What the header of one radiograph claims, in mapped terms: nothing of its own words is kept.

Where a field in which a site writes its own codes says nothing that the vocabulary knows, the claim is a keyed hash of
what it says: the same text gives the same code, and nobody without the site's secret can find the text by trying.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from mskmodel.evidence.codes import meaning_of
from mskmodel.evidence.tokens import folded, runs
from mskmodel.evidence.vocabulary import Understood, vocabulary
from mskmodel.radiograph import HeaderTexts

__all__ = ["BODY_PART", "FIELDS", "REGION", "VIEW", "Claim", "Claims", "claims_of", "is_code", "understood_of"]

REGION, VIEW = "region", "view"

BODY_PART: Final = "body part"
#: The fields that can claim something, and of which kind they are; ``""``: they are of either.
FIELDS: Final[Mapping[str, str]] = {
    BODY_PART: REGION,
    "anatomic region": REGION,
    "view position": VIEW,
    "view code": VIEW,
    "study description": "",
    "series description": "",
    "protocol": "",
}
_DIGITS: Final = 12
_PARTS: Final = ("regions", "views", "sides")


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


def claims_of(texts: HeaderTexts, secret: bytes) -> Claims:
    """What a header claims. ``secret``: the site's, for what only hashes may say."""
    understood = {field: understood_of(field, spoken) for field, spoken in _spoken(texts).items()}
    own = {field: _code(secret, "code", [text]) for field, text in _own_words(texts).items()}
    claims = []
    for field, said in understood.items():
        for kind, terms in ((REGION, said.regions), (VIEW, said.views)):
            code = own.get(field, "") if FIELDS[field] in (kind, "") else ""
            if terms or code:
                claims.append(Claim(field, kind, tuple(sorted(terms)) or (code,)))
    sides = [said.sides for field, said in understood.items() if FIELDS[field] != VIEW]
    group = _code(secret, "group", [texts.modality, *texts.station])
    laterality = vocabulary().understood(texts.laterality).sides
    return Claims(tuple(claims), _side([laterality, *sides]), group.removeprefix("#"))


def understood_of(field: str, texts: Iterable[str]) -> Understood:
    """What the texts of one field say together. A field of one kind speaks of the other only beside its own."""
    each = [vocabulary().understood(text) for text in texts]
    regions, views, sides = (
        frozenset().union(*parts) for parts in ([getattr(one, name) for one in each] for name in _PARTS)
    )
    return Understood(
        regions if FIELDS[field] != VIEW or views else frozenset(),
        views if FIELDS[field] != REGION or regions else frozenset(),
        sides,
    )


def is_code(term: str) -> bool:
    """Whether this is a site's own code and no term."""
    return term.startswith("#")


def _spoken(texts: HeaderTexts) -> dict[str, list[str]]:
    """The texts of each field."""
    return {
        BODY_PART: [texts.body_part],
        "anatomic region": [meaning_of(code) for code in texts.anatomic_region],
        "view position": [texts.view_position],
        "view code": [meaning_of(code) for code in texts.view_codes],
        "study description": [*texts.study_descriptions, *map(meaning_of, texts.procedure_codes)],
        "series description": [texts.series_description],
        "protocol": [*texts.protocols, *map(meaning_of, texts.protocol_codes)],
    }


def _own_words(texts: HeaderTexts) -> dict[str, str]:
    """The text of each field in which a site writes codes of its own."""
    return {
        BODY_PART: texts.body_part,
        "view position": texts.view_position,
        "series description": texts.series_description,
        "protocol": next(iter(texts.protocols), ""),
    }


def _code(secret: bytes, purpose: str, texts: Iterable[str]) -> str:
    """``#`` and a keyed hash of the texts, whatever their case and punctuation; ``""`` where they have no letter."""
    normalised = [" ".join(runs(folded(text))) for text in texts]
    if not any(letter.isalpha() for text in normalised for letter in text):
        return ""
    said = "\n".join([purpose, *normalised]).encode()
    return "#" + hmac.digest(secret, said, hashlib.sha256).hex()[:_DIGITS]


def _side(sides: Iterable[frozenset[str]]) -> str:
    """The one side that all agree on who name any; of one side and both, the one."""
    told = {"B" if len(one) > 1 else next(iter(one)) for one in sides if one}
    told = told - {"B"} or told
    return told.pop() if len(told) == 1 else ""
