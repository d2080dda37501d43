"""The pictures of a study hung by their labels: a row for each joint and side, AP on the left, lateral on the right."""

from collections.abc import Mapping
from dataclasses import dataclass

from mskmodel.dicom.codes import UNPAIRED
from mskmodel.labels import known_labels, parts_of
from mskmodel.tables.label_cell import NONE
from workers.metadata.candidate import candidate_of
from workers.metadata.outcome import FAILED, LABELLED, NEEDS_REVIEW, SKIPPED, Outcome
from workers.metadata.truth import Statement, Truth
from workers.pages.wording import SIDES, claimed, display, percent
from workers.records.known_values import known_part

__all__ = ["Hung", "Row", "hung"]

#: Views from left to right; others come between.
FIRST, LAST = "ap", "lateral"
#: The right side comes first.
SIDE_ORDER = ("R", "L", "B", "")

STATUSES = {
    LABELLED: "labelled",
    NEEDS_REVIEW: "left to a person",
    SKIPPED: "skipped",
    FAILED: "failed",
    "": "waits to be labelled",
}


@dataclass(frozen=True)
class Hung:
    """One picture, and what is known of it, in words."""

    instance: str
    label: str
    """What it shows, by a person or else by the model; "" where nobody says."""
    key: str
    region: str
    view: str
    side: str
    """By a person, or else by the header."""
    status: str
    top: tuple[tuple[str, str], ...]
    claimed: str
    disagrees: bool
    explanation: str
    truth: Statement | None
    """What a person says now."""
    history: tuple[str, ...]
    """What people said, a sentence each, the oldest first."""

    @property
    def has_side(self) -> bool:
        """Whether it shows what there is a right and a left of."""
        known = known_labels().get(self.key)
        return known is not None and bool(known.region) and known.body_part not in UNPAIRED

    @property
    def probability(self) -> str:
        """Of the likeliest class, where the label is the model's."""
        return self.top[0][1] if self.top and not self.truth and self.label else ""

    @classmethod
    def of(cls, instance: str, metadata: Mapping[str, str]) -> "Hung":
        """As Orthanc's metadata say, in known words: whoever may write to Orthanc may have written others."""
        found, truth, standing = Outcome.of(metadata), Truth.of(metadata), Truth.standing(metadata)
        outcome = known_part(found) if found else None
        key = (standing.label or NONE) if standing else (outcome.label or "") if outcome else ""
        region, view = ("", "") if key in ("", NONE) else parts_of(key)
        claims = outcome.claims if outcome else {}
        candidate = candidate_of(instance, outcome) if outcome else None
        return cls(
            instance=instance,
            label=display(key) if key else "",
            key=key,
            region=region,
            view=view,
            side=(standing.side if standing else "") or claims.get("side", ""),
            status=_status(outcome),
            top=tuple((display(name), percent(share)) for name, share in outcome.top5) if outcome else (),
            claimed=claimed(claims),
            disagrees=candidate is not None and candidate.header_disagrees,
            explanation=(outcome.explanation or "") if outcome else "",
            truth=standing.now if standing else None,
            history=tuple(map(_sentence, (*truth.history, truth.now))) if truth else (),
        )


@dataclass(frozen=True)
class Row:
    """Pictures of one joint and side, from left to right."""

    name: str
    pictures: tuple[Hung, ...]


def hung(metadata: Mapping[str, Mapping[str, str]]) -> list[Row]:
    """The rows of a study. ``metadata``: by instance."""
    rows: dict[tuple[str, str], list[Hung]] = {}
    for instance in sorted(metadata):
        picture = Hung.of(instance, metadata[instance])
        rows.setdefault((picture.region, picture.side if picture.region else ""), []).append(picture)
    ordered = sorted(rows, key=lambda row: (not row[0], row[0], _position(row[1])))
    return [Row(_name(*row), tuple(sorted(rows[row], key=_column))) for row in ordered]


def _column(picture: Hung) -> tuple[int, str]:
    return {FIRST: 0, LAST: 2}.get(picture.view, 1), picture.view


def _position(side: str) -> int:
    return SIDE_ORDER.index(side) if side in SIDE_ORDER else len(SIDE_ORDER)


def _name(region: str, side: str) -> str:
    if not region:
        return "Without a label of a joint"
    return display(region) + (f", {SIDES[side]}" if side in SIDES else "")


def _status(outcome: Outcome | None) -> str:
    said = STATUSES.get(outcome.status if outcome else "", "unknown")
    return f"{said}: {outcome.reason}" if outcome and outcome.reason else said


def _sentence(said: Statement) -> str:
    side = f", {SIDES[said.side]}" if said.side else ""
    what = "withdrew what was said" if said.withdrawn else f"said {display(said.label)}{side}"
    when = said.time[:16].replace("T", " ")
    origin = f"({said.origin})" if said.origin else ""
    return " ".join(filter(None, [said.author or "Somebody", what, when, origin]))
