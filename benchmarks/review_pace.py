"""How long a reviewer waits for the next picture, before and after the gateway is killed.

    python -m benchmarks.review_pace [--pictures N]

A scripted reviewer accepts the suggestion for each of N drawn pictures, two a second, in Chromium. In the middle the
gateway is killed with -9, and started again at once. Prints the median and the maximum between key and next picture,
before and after that; and how many of the truths stand on Orthanc.
"""

import argparse
import os
import tempfile
from pathlib import Path
from threading import Thread

from playwright.sync_api import sync_playwright

from tests.browser.reading_room import ReadingRoom, running_reading_room
from tests.browser.reviewing import AWAY, accept_all, expect_progress, queue_of, told
from tests.browser.visitor import CHROMIUM, Visitor, visitor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=100)
    pictures = parser.parse_args().pictures
    with (
        tempfile.TemporaryDirectory(prefix="msk-pace-") as folder,
        running_reading_room(Path(folder)) as room,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=CHROMIUM, timeout=120_000) as browser,
    ):
        stored = room.fill(pictures)
        anna = visitor(browser, room.url)
        anna.expected = AWAY
        anna.sign_in("anna", "/review")
        paces = review(room, anna, pictures)
        kept = sum(room.truth(instance) is not None for instance in stored)
        anna.leave()
    print(f"before the gateway was killed: {told(paces[: pictures // 2])}")
    print(f"after: {told(paces[pictures // 2 :])}")
    print(f"{kept} of {pictures} truths stand on Orthanc; load {os.getloadavg()[0]:.1f}")


def review(room: ReadingRoom, anna: Visitor, pictures: int) -> list[float]:
    """All sittings; milliseconds from key to next picture."""
    paces: list[float] = []
    again: list[Thread] = []

    def before(number: int) -> None:
        if done + number == pictures // 2:
            again.append(room.die_and_come_back())

    while len(paces) < pictures:
        done, count = len(paces), len(queue_of(anna.page))
        paces += accept_all(anna.page, before)
        expect_progress(anna.page, f"{count} of {count}, {count} agreed.")
        anna.page.get_by_role("link", name="All said").click()
        anna.page.wait_for_load_state()
    again[0].join()
    return paces


if __name__ == "__main__":
    main()
