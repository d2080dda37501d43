"""From the model's answer and what else is known to the outcome."""

import numpy as np
import pytest

from mskmodel.evidence.claim import Claims
from mskmodel.evidence.reliability import PRIOR
from mskmodel.labels import KEYS
from mskmodel.registry.decision import LOW_CONFIDENCE, MORE_VIEWS, UNLIKE, Classification, Decision
from tests.unit.evidence.claims import says, sees
from workers.labelling.deciding import Judge, kinds_of
from workers.metadata.outcome import NEEDS_REVIEW, Outcome

BY_ALL = Judge(KEYS, Decision(), PRIOR)
BY_PIXELS = Judge(KEYS, Decision(), PRIOR, pixels_alone=True)


def seen(none: float, kinds: dict[str, float], **classes: float) -> Classification:
    return Decision().decide(sees(none, **classes), KEYS, tuple(kinds.items()))


@pytest.mark.parametrize("judge", [BY_ALL, BY_PIXELS], ids=["all evidence", "pixels alone"])
@pytest.mark.parametrize(
    ("pixels", "region", "reason"),
    [
        (seen(0.9, {"wrist": 0.8, "chest": 0.05}), "wrist", UNLIKE),
        (seen(0.6, {"hand_oblique": 0.55}, hand_ap=0.3), "hand", UNLIKE),
        (seen(0.3, {"knee_oblique": 0.2}, knee_ap=0.35, knee_lateral=0.3), "knee", LOW_CONFIDENCE),
        (seen(0.85, {"several_views": 0.8}, knee_ap=0.1), "knee", MORE_VIEWS),
    ],
)
def test_the_region_is_told_where_the_model_abstains(
    judge: Judge, pixels: Classification, region: str, reason: str
) -> None:
    said = judge.outcome_of(pixels, Claims())

    assert (said["status"], said["label"], said["reason"]) == (NEEDS_REVIEW, None, reason)
    assert said["region"][0] == region
    assert said["region"][1] > 0.5


def test_a_site_that_wants_the_pixels_alone_gets_their_region() -> None:
    pixels = seen(0.1, {}, knee_ap=0.45, elbow_ap=0.35)

    by_all, by_pixels = (judge.outcome_of(pixels, says("elbow", "ap")) for judge in (BY_ALL, BY_PIXELS))

    assert by_all["region"][0] == "elbow"
    assert by_pixels["region"][0] == "knee"


def test_a_header_does_not_make_one_view_of_several() -> None:
    pixels = seen(0.55, {"several_views": 0.5}, knee_ap=0.4)
    silent = seen(0.55, {}, knee_ap=0.4)

    assert BY_ALL.outcome_of(silent, says("knee", "ap"))["label"] == "knee_ap"
    said = BY_ALL.outcome_of(pixels, says("knee", "ap"))
    assert (said["status"], said["label"], said["reason"]) == (NEEDS_REVIEW, None, MORE_VIEWS)
    assert "none of the classes 0.55 (several views on one film 0.50)" in said["explanation"]


def test_a_later_look_at_an_outcome_finds_the_same_by_the_pixels() -> None:
    pixels = seen(0.85, {"several_views": 0.8, "wrist": 0.03, "chest": 0.00001}, knee_ap=0.1)
    said = BY_ALL.outcome_of(pixels, Claims())

    outcome = Outcome.from_json(Outcome(attachment_md5="", tries=1, **said).to_json())

    assert outcome.kinds == {"several_views": 0.8, "wrist": 0.03}
    again = BY_ALL.by_pixels(outcome.pixels, kinds_of(outcome.kinds))
    assert again.reason == MORE_VIEWS
    region, probability = BY_ALL.outcome_of(again, Claims())["region"]
    assert (region, probability) == ("knee", pytest.approx(said["region"][1], abs=1e-3))
    assert np.isclose(again.confidence, pixels.confidence, atol=1e-3)


@pytest.mark.parametrize("kinds", [{"wrist": "NaN"}, {"wrist": -0.1}, {"wrist": 2}, {"wrist": "much"}])
def test_kinds_that_are_no_probabilities_are_refused(kinds: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        kinds_of(kinds)
