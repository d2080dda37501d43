"""The sentence of the ledger, and its numbers: only an even balance says that nothing is lost."""

from datetime import UTC, datetime

import pytest

from workers.metadata.outcome import FAILED, LABELLED
from workers.pages.ledger_view import HEIGHT, bars, reasons, sentence
from workers.reconciliation.balance import Balance
from workers.records.tallies import Reason


@pytest.mark.parametrize(
    ("balance", "said"),
    [
        (
            Balance(12_408, {LABELLED: 12_391, None: 17}, 0, 3.2, ()),
            "Nothing is lost: 12,408 stored, 12,391 done, 17 waiting, oldest 3.2 s.",
        ),
        (Balance(0, {}, 0, 0.0, ()), "Nothing is lost: 0 stored, 0 done, 0 waiting."),
        (Balance(3, {LABELLED: 2, None: 1}, 1, 9.0, ()), "Nothing is lost: 3 stored, 3 done, 0 waiting."),
        (
            Balance(5, {LABELLED: 3}, 0, 0.0, ()),
            "Orthanc holds 5 instances, and the index shows 3 of them: 2 on their way into it.",
        ),
        (
            Balance(3, {LABELLED: 5}, 0, 0.0, ()),
            "Orthanc holds 3 instances, and the index shows 5: 2 deleted ones are still to be dropped.",
        ),
        (
            Balance(2, {LABELLED: 1, None: 1}, 0, 900.0, ("a",)),
            "1 instance is neither done nor queued. The next sweeps look for such; msk audit names them.",
        ),
    ],
)
def test_the_sentence_says_what_is_so(balance: Balance, said: str) -> None:
    assert sentence(balance) == said
    assert balance.is_even == said.startswith("Nothing is lost")


def test_the_chart_has_a_bar_for_each_of_sixty_minutes_and_the_highest_is_full() -> None:
    now = datetime(2026, 11, 28, 12, 0, 30, tzinfo=UTC)
    drawn = bars({"2026-11-28T12:00": 4, "2026-11-28T11:01": 2, "2026-11-28T10:59": 99}, now)
    assert len(drawn) == 60
    assert (drawn[-1].height, drawn[0].height, drawn[1].height) == (HEIGHT, HEIGHT / 2, 0)


def test_what_failed_in_the_ledger_alone_is_told_apart() -> None:
    found = reasons([Reason(FAILED, "damaged", 2, "2026-11-28T12:00:00+00:00")], {"a": "refused", "b": "refused"})
    assert [(each.reason, each.count, each.here) for each in found] == [("refused", 2, True), ("damaged", 2, False)]
