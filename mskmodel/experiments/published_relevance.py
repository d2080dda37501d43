"""What is relevant to what by published rules: the measure of the experiment with priors, fixed beforehand.

The table ``published_relevance.csv`` lists pairs of regions, each with the rule that it follows from:

``part``
    The one is a part of the other: what SNOMED CT and DICOM (PS3.16 Annex L, CID 4009) say of anatomy. Metagroups of
    examinations, by which PACS fetch priors, gather what belongs to one part of the body, and an examination may be in
    several (Andriole et al. 2000, J Digit Imaging 13, suppl. 1, doi 10.1007/BF03167629).
``joint``
    A long bone, and the joint above and below it: the approach by which fractures are imaged ("Assessing the necessity
    for the 'joint above and below' radiography approach for lower-extremity long bone fractures in children").
``film``
    The one is on the usual film of the other, by the evaluation criteria of Merrill's Atlas of Radiographic
    Positioning: a lateral foot shows the ankle joint and the distal leg, a PA hand reaches from the fingertips to the
    distal radius.

The same region is relevant, whatever the view. The opposite side is not: a side is part of what an examination is
(LOINC/RSNA Radiology Playbook, laterality). Where a side is not known it rules nothing out. Neither does age: a scheme
by the last examinations found the matching one more often than one by an interval of time (Siegel and Reiner 1998,
J Digit Imaging 11, 94-99).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from mskmodel.tables.table import read_table

__all__ = ["is_relevant"]


def is_relevant(region: str, side: str, other: str, other_side: str) -> bool:
    """Whether a film of the one is relevant beside one of the other.

    ``side``: R, L, or ``""`` for an unknown one and for a region that has none.
    """
    goes_together = region == other or frozenset((region, other)) in _pairs()
    return goes_together and (not side or not other_side or side == other_side)


@cache
def _pairs() -> frozenset[frozenset[str]]:
    table = read_table(Path(__file__).with_suffix(".csv"), "region", "other", "rule")
    return frozenset(frozenset((row["region"], row["other"])) for row in table.rows)
