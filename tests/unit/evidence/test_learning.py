"""What the headers of a site are worth, learned from its archive."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest

from mskmodel.evidence.claim import BODY_PART, REGION, Claims
from mskmodel.evidence.combination import combined
from mskmodel.evidence.learning import Observation, learned
from mskmodel.evidence.reliability import PRIOR, Reliability
from mskmodel.labels import KEYS, parts_of
from tests.unit.evidence.claims import NONE, says, sees

#: What the header of a radiograph of a region and a view says.
Header = Callable[[str, str, np.random.Generator], Claims]


def archive(header: Header, count: int = 500, truths: bool = False, seed: int = 1) -> list[Observation]:
    """Radiographs of a site whose pixels are right in four of five, and sure of it to that degree."""
    random = np.random.default_rng(seed)
    found = []
    for number in range(count):
        true = str(random.choice(KEYS))
        seen = true if random.random() < 0.8 else str(random.choice(KEYS))
        claims = header(*parts_of(true), random)
        found.append(
            Observation(sees(**{seen: 0.8}), claims, true if truths else "", patient=f"patient {number % 100}")
        )
    return found


def honest(region: str, view: str, _: np.random.Generator) -> Claims:
    return says(region, view)


def wrong(region: str, _: str, random: np.random.Generator) -> Claims:
    return says(*parts_of(str(random.choice([key for key in KEYS if parts_of(key)[0] != region]))))


def chest(*_: object) -> Claims:
    return says("chest", "ap")


def coded(region: str, *_: object) -> Claims:
    return says({"knee": "#00000000a2fe", "elbow": "#00000000b9d1"}.get(region, ""), field="protocol")


def right(reliability: Reliability, kind: str = REGION) -> float:
    return next(one.right for one in reliability.fields if (one.field, one.kind) == (BODY_PART, kind))


def accuracy(header: Header, reliability: Reliability) -> tuple[float, float]:
    """Of the pixels alone and of the combination, on other radiographs."""
    alone = together = 0
    for one in archive(header, 300, truths=True, seed=2):
        true = KEYS.index(one.truth)
        alone += int(one.pixels.argmax() == true)
        together += int(combined(one.pixels, KEYS, one.claims, (), reliability).probabilities.argmax() == true)
    return alone / 300, together / 300


def test_honest_headers_are_believed_and_liars_are_found_out_without_any_truth() -> None:
    assert right(learned(archive(honest), KEYS)) > 0.9
    assert right(learned(archive(wrong), KEYS)) < 0.2


@pytest.mark.parametrize("header", [wrong, chest])
def test_headers_that_are_worth_nothing_do_no_harm_once_they_are_known(header: Header) -> None:
    observations = archive(header)

    alone, believed = accuracy(header, PRIOR)
    _, known = accuracy(header, learned(observations, KEYS))

    assert believed < known
    assert known >= alone - 0.01


def test_honest_headers_help() -> None:
    observations = archive(honest)

    alone, together = accuracy(honest, learned(observations, KEYS))

    assert together > alone + 0.1


def test_a_code_of_the_site_comes_to_mean_what_it_goes_with() -> None:
    torn = sees(0.1, knee_ap=0.3, elbow_ap=0.3)
    claims = coded("elbow")

    before = combined(torn, KEYS, claims)
    after = combined(torn, KEYS, claims, (), learned(archive(coded), KEYS))

    assert before.probabilities.tobytes() == torn.tobytes()
    assert after.probabilities.argmax() == KEYS.index("elbow_ap")


def test_truths_weigh_more_than_pixels_that_err() -> None:
    """Pixels that take every foot for an ankle, surely: only people can tell that the header is right."""
    seen = [Observation(sees(ankle_ap=0.94), says("foot"), patient=str(n)) for n in range(400)]
    told = [Observation(one.pixels, one.claims, "foot_ap", patient=one.patient) for one in seen]

    assert right(learned(told, KEYS)) > 0.9 > right(learned(seen, KEYS)) + 0.2


def test_a_truth_of_none_of_the_classes_leaves_open_which_region_it_shows() -> None:
    chests = [Observation(sees(knee_ap=0.9), says("chest"), "none")] * 50
    found = learned([*archive(honest), *chests], KEYS)

    counted = next(one for one in found.fields if one.kind == REGION)
    assert sum(counted.terms["chest"]) == pytest.approx(50, abs=0.01)
    assert counted.terms["chest"][counted.axis.index("other")] > 45


def test_weights_count_as_so_many_radiographs() -> None:
    some = archive(honest, 50) + archive(wrong, 50, seed=3)
    weighed = [Observation(one.pixels, one.claims, weight=3.0, patient=one.patient) for one in some]

    once, thrice, repeated = (learned(each, KEYS) for each in (some, weighed, some * 3))

    assert right(thrice) == pytest.approx(right(repeated), abs=0.01)
    assert abs(right(thrice) - right(once)) > 0.01


def test_a_station_of_its_own_is_believed_as_it_deserves() -> None:
    def stations(region: str, _: str, random: np.random.Generator) -> Claims:
        if random.random() < 0.5:
            return says("knee", group="aaaaaaaaaaaa")
        return says(region, group="bbbbbbbbbbbb")

    found = learned(archive(stations, 2000), KEYS)
    torn = sees(0.1, knee_ap=0.3, elbow_ap=0.35)

    liar, honest_one, unknown = (
        combined(torn, KEYS, says("knee", group=group), (), found).regions["knee"]
        for group in ("aaaaaaaaaaaa", "bbbbbbbbbbbb", "cccccccccccc")
    )
    assert liar < unknown < honest_one


def test_codes_and_stations_of_few_patients_leave_no_trace() -> None:
    rare = [
        Observation(sees(knee_ap=0.9), says("#00000000dead", group="cafecafecafe"), patient=str(n % 4))
        for n in range(99)
    ]
    unnamed = [Observation(sees(knee_ap=0.9), says("#00000000beef")) for _ in range(99)]
    known = [Observation(sees(knee_ap=0.9), says("#0000000f00d0"), patient=str(n)) for n in range(5)]

    text = json.dumps(learned([*archive(honest, 50), *rare, *unnamed, *known], KEYS).to_json())

    assert "dead" not in text
    assert "cafe" not in text
    assert "beef" not in text
    assert "f00d" in text
    assert "patient" not in text


def test_counts_survive_json_and_another_versions_classes() -> None:
    found = learned(archive(honest), KEYS)
    plain = json.loads(json.dumps(found.to_json()))
    fewer = (*KEYS[2:6], "wrist_ap")

    assert Reliability.from_json(plain).to_json() == plain
    pixels = np.full(len(fewer) + 1, 1 / (len(fewer) + 1))
    answer = combined(pixels, fewer, says("elbow", "ap"), (), found)
    assert fewer[answer.probabilities.argmax()] == "elbow_ap"


FIELD = {"kind": "region", "field": "protocol", "axis": ["knee"], "right": 1, "terms": {}, "groups": {}}


@pytest.mark.parametrize(
    "field", [{}, FIELD | {"right": 2}, FIELD | {"terms": {"knee": [1, 2]}}, FIELD | {"groups": 1}]
)
def test_damaged_counts_are_refused(field: dict[str, object]) -> None:
    assert Reliability.from_json({"schema": 1, "observations": 1, "fields": [FIELD]}).observations == 1
    with pytest.raises(ValueError):
        Reliability.from_json({"schema": 1, "observations": 1, "fields": [field]})


@pytest.mark.parametrize("values", [None, {}, [], "", {"schema": 2, "observations": 1, "fields": []}])
def test_what_is_no_counts_is_refused(values: object) -> None:
    with pytest.raises(ValueError):
        Reliability.from_json(values)


def test_nothing_learned_is_the_prior_and_other_classes_are_refused() -> None:
    assert learned([], KEYS) == PRIOR
    with pytest.raises(ValueError, match="other classes"):
        learned([Observation(np.ones(3) / 3, says("knee"))], KEYS)


def test_an_archive_with_no_claims_teaches_nothing() -> None:
    found = learned([Observation(sees(knee_ap=0.9), Claims())] * 10, KEYS)

    assert found.fields == ()
    assert combined(sees(knee_ap=0.5), KEYS, says("knee"), (), found).probabilities[NONE] == pytest.approx(
        combined(sees(knee_ap=0.5), KEYS, says("knee")).probabilities[NONE]
    )
