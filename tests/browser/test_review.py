"""Review in a real browser, by the keyboard alone: what is said stands on Orthanc, and nobody overwrites another."""

import pytest
from playwright.sync_api import expect

from mskmodel.labels import KEYS
from tests.browser.conftest import Come
from tests.browser.reading_room import ReadingRoom
from tests.browser.reviewing import expect_progress, keys_of, press, queue_of, shown

PICTURES = 20


@pytest.fixture
def few(reading_room: ReadingRoom) -> list[str]:
    """Six drawn pictures with labels, and nothing else."""
    reading_room.clear()
    found = [reading_room.store(f"few-{number}") for number in range(6)]
    for number, instance in enumerate(found):
        reading_room.label(instance, "knee_ap", 0.9 - number / 20)
    reading_room.follow(found)
    return found


def test_twenty_pictures_are_reviewed_by_the_keyboard_alone(reading_room: ReadingRoom, come: Come) -> None:
    reading_room.clear()
    true = {reading_room.store(f"one-of-{number}"): KEYS[number % len(KEYS)] for number in range(PICTURES)}
    for number, (instance, label) in enumerate(true.items()):
        # Every fourth label is wrong, and the right one is not among the likeliest.
        reading_room.label(instance, "shoulder_axillary" if number % 4 == 0 and label != "pelvis_ap" else label, 0.55)
    reading_room.follow(list(true))
    anna = come("anna", "/review")
    keys, agreed = keys_of(anna.page), 0
    suggested = {each["instance"]: each["suggested"] for each in queue_of(anna.page)}
    assert suggested.keys() == true.keys()
    for number in range(PICTURES):
        instance = shown(anna.page)
        right = suggested[instance] == true[instance]
        agreed += right
        press(anna.page, [" "] if right and number % 2 else keys[true[instance]])
    expect_progress(anna.page, f"{PICTURES} of {PICTURES}, {agreed} agreed.")
    said = {instance: reading_room.truth(instance) for instance in true}
    assert {instance: truth and truth.label for instance, truth in said.items()} == true
    assert {truth and truth.author for truth in said.values()} == {"anna"}
    anna.open("/review")  # the index may not know of it yet, and nothing is asked twice all the same
    expect(anna.page.get_by_text("Nothing waits here.")).to_be_visible()


@pytest.mark.usefixtures("few")
def test_digits_none_undo_and_withdrawal(reading_room: ReadingRoom, come: Come) -> None:
    anna = come("anna", "/review")
    first = shown(anna.page)
    likeliest = queue_of(anna.page)[0]["top"]
    press(anna.page, ["2"])
    second = shown(anna.page)
    press(anna.page, ["n"])
    expect_progress(anna.page, "2 of 6, 0 agreed.")
    assert reading_room.truth(first).label == likeliest[1][0]
    assert reading_room.truth(second).label is None
    press(anna.page, ["Backspace"])
    expect_progress(anna.page, "1 of 6, 0 agreed.")
    assert shown(anna.page) == second
    press(anna.page, ["ArrowLeft", "Delete"])
    expect_progress(anna.page, "0 of 6, 0 agreed.")
    for instance in (first, second):
        assert reading_room.truth(instance).now.withdrawn
        assert len(reading_room.truth(instance).history) == 1


@pytest.mark.usefixtures("few")
def test_a_run_of_pictures_gets_one_label(reading_room: ReadingRoom, come: Come) -> None:
    anna = come("anna", "/review")
    queue = [each["instance"] for each in queue_of(anna.page)]
    press(anna.page, ["Shift+ArrowRight", "Shift+ArrowRight"])
    expect(anna.page.locator("#progress")).to_contain_text("3 selected")
    press(anna.page, ["e", "l"])
    expect_progress(anna.page, "3 of 6, 0 agreed.")
    assert [reading_room.truth(each) and reading_room.truth(each).label for each in queue] == ["elbow_lateral"] * 3 + [
        None
    ] * 3
    assert shown(anna.page) == queue[3]


@pytest.mark.usefixtures("few")
def test_two_reviewers_at_once_never_overwrite_each_other(reading_room: ReadingRoom, come: Come) -> None:
    anna, bert = come("anna", "/review"), come("bert", "/review")
    bert.expected = "409"
    instance = shown(anna.page)
    assert shown(bert.page) == instance
    press(anna.page, ["h", "a"])
    expect_progress(anna.page, "1 of 6, 0 agreed.")
    press(bert.page, ["f", "l"])
    press(bert.page, ["ArrowLeft"])
    told = "anna said Hand AP first: yours was not kept. Say it again to replace it."
    expect(bert.page.locator("#said")).to_have_text(told)
    expect_progress(bert.page, "0 of 6, 0 agreed.")
    assert (reading_room.truth(instance).label, reading_room.truth(instance).author) == ("hand_ap", "anna")
    press(bert.page, ["f", "l"])  # now that he knows
    expect_progress(bert.page, "1 of 6, 0 agreed.")
    truth = reading_room.truth(instance)
    assert (truth.label, truth.author, truth.history[0].author) == ("foot_lateral", "bert", "anna")
    anna.expected = "409"
    press(anna.page, ["Backspace"])  # what she withdraws is not hers any more
    expect(anna.page.locator("#said")).to_contain_text("bert said Foot lateral first")
    assert reading_room.truth(instance) == truth


def test_a_class_of_the_site_has_keys_too(reading_room: ReadingRoom, few: list[str], come: Come) -> None:
    body = {"label": "wrist_pa", "new_class": True}
    with reading_room.client_of("bert") as client:
        assert client.put(f"/api/instances/{few[0]}/truth", json=body).status_code == 200
    reading_room.follow(few)
    anna = come("anna", "/review")
    instance = shown(anna.page)
    press(anna.page, keys_of(anna.page)["wrist_pa"])
    expect_progress(anna.page, "1 of 5, 0 agreed.")
    assert reading_room.truth(instance).label == "wrist_pa"


def test_the_queues_ask_for_different_pictures(reading_room: ReadingRoom, few: list[str], come: Come) -> None:
    reading_room.label(few[1], "knee_ap", 0.9, disagreement=0.97)
    reading_room.label(few[2], "knee_ap", 0.1, reason="unlike every trained class")
    reading_room.follow(few)
    anna = come("anna")
    for queue, expected in (
        ("disagreeing", {few[1]}),
        ("none", {few[2]}),
        ("unsure", set(few) - {few[2]}),
        ("random", set(few)),
    ):
        anna.open(f"/review?queue={queue}&start=0")
        assert {each["instance"] for each in queue_of(anna.page)} == expected, queue
    anna.open("/review?queue=disagreeing")
    expect(anna.page.locator("#said")).to_contain_text("the header says something else")


def test_a_viewer_is_not_let_in(come: Come) -> None:
    vera = come("vera")
    vera.expected = "403"
    expect(vera.page.get_by_role("link", name="Review")).to_have_count(0)
    vera.open("/review")
    expect(vera.page.get_by_role("alert")).to_have_text("this needs the role reviewer, and vera is viewer")


@pytest.mark.usefixtures("few")
def test_keys_work_only_where_the_sheet_has_the_focus(come: Come) -> None:
    anna = come("anna", "/review")
    press(anna.page, ["?"])
    expect(anna.page.get_by_role("dialog", name="Keys")).to_be_visible()
    press(anna.page, ["k", "a"])
    press(anna.page, ["Escape"])
    expect(anna.page.get_by_role("dialog", name="Keys")).to_be_hidden()
    expect_progress(anna.page, "0 of 6, 0 agreed.")
    press(anna.page, ["k", "a"])
    expect_progress(anna.page, "1 of 6, 1 agreed.")
