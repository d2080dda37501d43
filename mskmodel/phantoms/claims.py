"""What a phantom's header says of it: as in a hospital, mostly right, sometimes nothing, sometimes wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mskmodel.labels import BY_KEY

__all__ = ["HeaderClaim", "claim", "named"]

_MISSING, _WRONG = 0.15, 0.15


@dataclass(frozen=True)
class HeaderClaim:
    """DICOM values for the header; an empty string is a value that the header lacks."""

    body_part: str
    view_position: str
    laterality: str
    correct: bool


def claim(part: str, position: str, side: str, rng: np.random.Generator) -> HeaderClaim:
    """What a header claims about a view, from what is true: Body Part Examined, View Position, and R, L, B or U."""
    truth = (part, position, side)
    said = [*truth]
    if rng.random() < _WRONG:
        others = [key for key in BY_KEY if named(key)[0] not in ("", truth[0])]
        said[:2] = named(str(rng.choice(others)))
    if side in ("R", "L") and rng.random() < _WRONG / 3:
        said[2] = "L" if side == "R" else "R"
    said = ["" if rng.random() < _MISSING else value for value in said]
    return HeaderClaim(said[0], said[1], said[2], tuple(said) == truth)


def named(name: str) -> tuple[str, str]:
    """Body Part Examined and usual View Position of a view."""
    return BY_KEY[name].body_part, BY_KEY[name].view_position
