"""A reviewer at two keys a second, over twenty pictures, with a gateway that is killed in the middle."""

from statistics import median
from threading import Thread

from tests.browser.conftest import Come
from tests.browser.reading_room import ReadingRoom
from tests.browser.reviewing import expect_progress, press, queue_of, shown

PICTURES = 20
#: Milliseconds between two keys.
PACE = 500
#: Notes how long it takes from each key until the next picture has been decoded and painted.
WATCH = """() => {
  let pressed = 0;
  window.paces = [];
  addEventListener('keydown', () => { pressed = performance.now(); }, true);
  new MutationObserver(async () => {
    const from = pressed, image = document.querySelector('#picture img');
    try { await image.decode(); } catch { return; }
    requestAnimationFrame(() => requestAnimationFrame(() => window.paces.push(performance.now() - from)));
  }).observe(document.getElementById('picture'), { childList: true });
}"""


def test_the_next_picture_is_there_and_nothing_is_lost_when_the_gateway_is_killed(
    reading_room: ReadingRoom, come: Come
) -> None:
    reading_room.clear()
    stored = [reading_room.store(f"pace-{number}", rows=1600, columns=1300) for number in range(PICTURES)]
    for number, instance in enumerate(stored):
        reading_room.label(instance, "knee_ap", 0.95 - number / 200)
    reading_room.follow(stored)
    anna = come("anna", "/review")
    anna.expected = "ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|ERR_SOCKET_NOT_CONNECTED"
    queue = [each["instance"] for each in queue_of(anna.page)]
    assert sorted(queue) == sorted(stored)
    anna.page.wait_for_load_state("networkidle")
    anna.page.evaluate(WATCH)
    for number in range(PICTURES):
        if number == PICTURES // 2:
            reading_room.kill()
            again = Thread(target=reading_room.open)
            again.start()  # as whatever watches over it does, while the reviewer goes on
        assert shown(anna.page) == queue[number]
        press(anna.page, [" "])
        anna.page.wait_for_timeout(PACE)  # the reviewer's own pace, not a wait for something to happen
    again.join()
    expect_progress(anna.page, f"{PICTURES} of {PICTURES}, {PICTURES} agreed.")
    truths = [reading_room.truth(instance) for instance in queue]
    assert all(truths)
    assert {(truth.label, truth.author, truth.history) for truth in truths if truth} == {("knee_ap", "anna", ())}
    paces: list[float] = anna.page.evaluate("() => window.paces")
    before = paces[: PICTURES // 2]
    print(
        f"\nkey to next picture, ms: median {median(paces):.0f}, maximum {max(paces):.0f}, of {len(paces)} pictures;"
        f" before the gateway was killed: median {median(before):.0f}, maximum {max(before):.0f}"
    )
