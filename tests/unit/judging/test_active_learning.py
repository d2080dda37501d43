"""Which radiographs are suggested, in what order, and why."""

import tracemalloc
from collections import Counter

import pytest

from mskmodel.judging.active_learning import Candidate, doubtful, suggest


def candidate(key: str, *top: tuple[str, float], patient: str = "", **more: bool) -> Candidate:
    return Candidate(key, top or (("knee_ap", 0.9), ("knee_lateral", 0.05)), patient=patient or key, **more)


CERTAIN = candidate("certain", ("knee_ap", 0.99), ("foot_ap", 0.01))
TORN = candidate("torn", ("hand_ap", 0.48), ("hand_lateral", 0.45))
PERHAPS_NONE = candidate("perhaps none", ("elbow_ap", 0.4), ("foot_ap", 0.02), unlike=True)
SURELY_NONE = candidate("surely none", ("elbow_ap", 0.01), ("foot_ap", 0.01), unlike=True)
CONTRADICTED = candidate("contradicted", ("foot_ap", 0.98), ("foot_lateral", 0.01), disagreement=1.0)


@pytest.mark.parametrize(
    ("each", "why"),
    [
        (CERTAIN, "knee_ap (0.99)"),
        (TORN, "hand_ap (0.48) or hand_lateral (0.45)"),
        (PERHAPS_NONE, "none of the classes, or elbow_ap (0.40)"),
        (CONTRADICTED, "foot_ap (0.98), but the header says something else"),
        (candidate("", ("foot_ap", 0.5), ("hand_ap", 0.1)), "foot_ap (0.50) or none of the classes"),
        (candidate("", ("foot_ap", 0.6)), "foot_ap (0.60) or none of the classes"),
    ],
)
def test_the_reason_is_said_in_words(each: Candidate, why: str) -> None:
    assert each.why == why


def test_the_least_certain_come_first_and_contradicted_headers_before_certain_answers() -> None:
    everything = [CERTAIN, SURELY_NONE, CONTRADICTED, PERHAPS_NONE, TORN]

    assert suggest(everything, 5)[:3] == [TORN, PERHAPS_NONE, CONTRADICTED]
    assert suggest(reversed(everything), 3) == suggest(everything, 3)
    assert suggest(everything, 1) == [TORN]
    assert all(0 <= each.doubt <= 1 for each in everything)


def test_many_doubts_of_one_kind_and_one_patient_leave_room_for_others() -> None:
    knees = [candidate(f"knee {n}", ("knee_ap", 0.5), ("knee_lateral", 0.5)) for n in range(500)]
    one_patient = [candidate(f"hand {n}", ("hand_ap", 0.5), ("foot_ap", 0.5), patient="one") for n in range(500)]
    feet = [candidate(f"foot {n}", ("foot_ap", 0.7), ("foot_lateral", 0.3)) for n in range(5)]
    elbows = [candidate(f"elbow {n}", ("elbow_ap", 0.8), ("elbow_lateral", 0.2)) for n in range(5)]

    chosen = suggest([*knees, *one_patient, *feet, *elbows], 4)

    assert {each.said for each in chosen} == {"knee_ap", "hand_ap", "foot_ap", "elbow_ap"}
    assert [each.doubt for each in chosen] == sorted((each.doubt for each in chosen), reverse=True)


def test_the_same_patient_comes_again_after_all_others() -> None:
    visits = [candidate(f"visit {n}", ("hand_ap", 0.5), ("hand_lateral", 0.5), patient="one") for n in range(9)]
    certain = [candidate(f"certain {n}", ("knee_ap", 0.99), ("foot_ap", 0.01)) for n in range(3)]

    chosen = suggest([*visits, *certain], 6)

    assert [each.patient == "one" for each in chosen] == [True, False, False, False, True, True]


def test_where_there_is_nothing_else_the_same_patient_is_suggested_again() -> None:
    visits = [candidate(f"visit {n}", patient="one") for n in range(9)]

    assert len(suggest(visits, 5)) == 5
    assert len(suggest(visits, 50)) == 9
    assert suggest([], 3) == []


def test_the_best_of_twenty_thousand_are_found_in_little_memory() -> None:
    def archive():  # type: ignore[no-untyped-def]
        for n in range(20_000):
            first = 0.5 + (n * 7919 % 20_000) / 40_000
            yield candidate(f"{n:06d}", (("knee_ap", "hand_ap", "foot_ap")[n % 3], first), ("elbow_ap", 1 - first))

    tracemalloc.start()
    kept = doubtful(archive(), 50)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert Counter(each.said for each in kept) == {"knee_ap": 500, "hand_ap": 500, "foot_ap": 500}
    assert min(each.doubt for each in kept) > max(sorted(each.doubt for each in archive())[:18_000])
    assert len(suggest(kept, 50)) == 50
    assert peak < 3_000_000, "all of them would be five times as much"
