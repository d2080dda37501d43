"""One reading room and one Chromium, shared by all tests of pages; each person has a browser context of their own."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.reading_room import ReadingRoom, running_reading_room
from tests.browser.visitor import CHROMIUM, Visitor, visitor

#: OpenGL in software: the viewer shows nothing without it.
WEBGL = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
Come = Callable[..., Visitor]


@pytest.fixture(scope="package")
def reading_room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReadingRoom]:
    with running_reading_room(tmp_path_factory.mktemp("reading-room")) as room:
        yield room


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """Playwright's event loop runs in the tests' thread as long as it lives: other tests have loops of their own."""
    if not Path(CHROMIUM).exists():
        pytest.fail(f"{CHROMIUM} is missing: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=WEBGL, timeout=120_000)
        yield browser
        browser.close()


@pytest.fixture
def come(reading_room: ReadingRoom, chromium: Browser) -> Iterator[Come]:
    """Let somebody in: `come("anna", "/review")`; nobody is signed in without a name."""
    here: list[Visitor] = []

    def let_in(name: str = "", target: str = "/", **options: Any) -> Visitor:
        one = visitor(chromium, reading_room.url, **options)
        here.append(one)
        if name:
            one.sign_in(name, target)
        return one

    yield let_in
    for one in here:
        one.leave()
