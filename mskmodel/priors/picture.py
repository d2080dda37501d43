"""One picture of an examination: what it shows, and by whom that is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mskmodel.evidence.claim import REGION, VIEW, Claims, is_code
from mskmodel.evidence.vocabulary import finest_regions
from mskmodel.labels import parts_of
from mskmodel.tables.label_cell import NONE

__all__ = ["HEADER", "NOBODY", "PERSON", "PIXELS", "UNPAIRED", "Picture"]

#: By whom it is told what a picture shows. What a person said counts before the label, and the label before the header.
PERSON, PIXELS, HEADER, NOBODY = "person", "pixels", "header", ""

#: Regions that have no left and no right (PS3.16 Annex L, paired structures): a side that a header names beside one of
#: them does not count.
UNPAIRED: Final = frozenset(
    {
        "abdomen", "cervical_spine", "chest", "head", "lumbar_spine", "neck", "pelvis", "sacrum", "skull", "spine",
        "sternum", "teeth", "thoracic_spine", "whole_body",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Picture:
    """What a picture shows, in terms of `mskmodel.evidence.terms` and of labels.

    ``regions``, ``views``: any of which may be meant, where only the header tells; empty where nobody does.
    """

    #: SOP Instance UID; empty for a series that is known by its header alone.
    name: str
    regions: tuple[str, ...]
    views: tuple[str, ...]
    #: ``R``, ``L``, ``B`` (both), or ``""``: unknown.
    side: str
    #: Who told the region: `PERSON`, `PIXELS`, `HEADER` or `NOBODY`.
    told_by: str
    #: A defined term of Modality, or ``""``: unknown.
    modality: str = ""
    #: What the header says, whoever told; it may contradict.
    header_regions: tuple[str, ...] = ()
    header_views: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        name: str,
        truth: str | None,
        label: str | None,
        claims: Claims | None,
        modality: str = "",
        *,
        side: str = "",
        region: str = "",
    ) -> Picture:
        """The truth counts before the label, the label before the header.

        A label that names no view leaves the view to the header. Where the model abstained, the region that it sees
        counts. Where a person said that it is none of the classes, no label counts.

        Args:
            truth: what a person said: a key or ``none``; None where nobody said anything.
            label: the model's; None where it abstained.
            side: as a person said it; ``""`` leaves it to the header.
            region: that the model is sure of, where it gave no label; ``""`` for none.
        """
        claims = claims or Claims()
        said = _terms(claims, REGION), _terms(claims, VIEW)
        teller, key = (PERSON, truth) if truth not in (None, NONE) else (PIXELS, label if truth is None else None)
        shown, view = parts_of(key) if key else ("", "")
        if not shown:
            teller, shown = PIXELS, region
        if not shown:
            teller = HEADER if said[0] else NOBODY
        regions = (shown,) if shown else said[0]
        return cls(name, regions, (view,) if view else said[1], side or claims.side, teller, modality, *said)


def _terms(claims: Claims, kind: str) -> tuple[str, ...]:
    said = {term for claim in claims.claims if claim.kind == kind for term in claim.terms if not is_code(term)}
    return tuple(sorted(finest_regions(frozenset(said)) if kind == REGION else said))
