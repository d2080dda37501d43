"""Values of Orthanc's metadata as the labeller writes them: whoever may write to Orthanc may have written others."""

import re
from dataclasses import replace
from typing import Final

from mskmodel.evidence.claim import FIELDS, REGION, VIEW, Claims
from mskmodel.evidence.terms import REGION_TERMS, VIEW_TERMS
from mskmodel.labels import known_labels
from workers.metadata.outcome import Outcome
from workers.records.reason import told, words

__all__ = ["known_claims", "known_key", "known_part"]

#: Keys of classes, names of versions, identities of files.
_KEY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+:-]{0,99}")
_HASH: Final = re.compile(r"[0-9a-f]{12}")
_CODE: Final = re.compile(r"#[0-9a-f]{12}")
_TERMS: Final = {REGION: REGION_TERMS.keys(), VIEW: VIEW_TERMS.keys()}
_SIDES: Final = ("", "R", "L", "B")
#: Of the sentence that says how a label came about, beside classes and terms.
_SENTENCE: Final = words(
    "pixels header says its sibling siblings is are a an and more or none of the classes code site"
)
#: Characters; the longest sentence of ours has fewer.
_LONGEST: Final = 600


def known_key(value: object) -> str | None:
    """The key; None for anything else."""
    return value if isinstance(value, str) and _KEY.fullmatch(value) else None


def known_claims(value: object) -> Claims | None:
    """Claims in terms and hashes alone; None for anything else."""
    try:
        claims = Claims.from_json(value)  # type: ignore[arg-type]
    except (KeyError, TypeError, AttributeError):
        return None
    for claim in claims.claims:
        known = _TERMS.get(claim.kind, ())
        if claim.field not in FIELDS or not claim.terms:
            return None
        if not all(term in known or _CODE.fullmatch(term) for term in claim.terms):
            return None
    return claims if claims.side in _SIDES and (not claims.group or _HASH.fullmatch(claims.group)) else None


def known_part(outcome: Outcome) -> Outcome:
    """The outcome with those of its texts alone that people may be shown: keys, terms, and sentences in known words."""
    claims = known_claims(outcome.claims)
    top = tuple((key, share) for key, share in outcome.top5 if known_key(key))
    return replace(
        outcome,
        label=known_key(outcome.label),
        top5=top,
        claims=claims.to_json() if claims else {},
        reason=told(outcome.reason),
        explanation=_explained(outcome.explanation, [key for key, _ in top]),
    )


def _explained(text: object, classes: list[str]) -> str | None:
    """The sentence, if it names nothing but terms, known classes, and these."""
    if not isinstance(text, str) or len(text) > _LONGEST or not text.isprintable():
        return None
    displays = (label.display for label in known_labels().values())
    known = words(" ".join((*classes, *known_labels(), *displays, *REGION_TERMS, *VIEW_TERMS)))
    return text if words(text) <= known | _SENTENCE else None
