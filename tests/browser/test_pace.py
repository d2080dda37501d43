"""A reviewer at two keys a second, over twenty pictures, with a gateway that is killed in the middle."""

from threading import Thread

from tests.browser.conftest import Come
from tests.browser.reading_room import ReadingRoom
from tests.browser.reviewing import AWAY, accept_all, expect_progress, queue_of, told

PICTURES = 20


def test_the_next_picture_is_there_and_nothing_is_lost_when_the_gateway_is_killed(
    reading_room: ReadingRoom, come: Come
) -> None:
    stored = reading_room.fill(PICTURES)
    anna = come("anna", "/review")
    anna.expected = AWAY
    queue = [each["instance"] for each in queue_of(anna.page)]
    assert sorted(queue) == sorted(stored)
    again: list[Thread] = []

    def before(number: int) -> None:
        if number == PICTURES // 2:
            again.append(reading_room.die_and_come_back())

    paces = accept_all(anna.page, before)
    assert len(paces) == PICTURES
    print(f"\nkey to next picture: {told(paces[: PICTURES // 2])}; gateway killed: {told(paces[PICTURES // 2 :])}")
    again[0].join()
    expect_progress(anna.page, f"{PICTURES} of {PICTURES}, {PICTURES} agreed.")
    truths = [reading_room.truth(instance) for instance in queue]
    assert all(truths)
    assert {(truth.label, truth.author, truth.history) for truth in truths if truth} == {("knee_ap", "anna", ())}


def test_a_gateway_that_stays_away_keeps_no_reviewer_waiting(reading_room: ReadingRoom, come: Come) -> None:
    reading_room.fill(PICTURES)
    anna = come("anna", "/review")
    anna.expected = AWAY
    accepted = accept_all(anna.page, lambda number: reading_room.kill() if number == 1 else None)
    assert len(accepted) == PICTURES, "each picture was shown"
    reading_room.open()
    expect_progress(anna.page, f"{PICTURES} of {PICTURES}, {PICTURES} agreed.")
