"""Arrivals, ledger, models and jobs in a real browser: they are live, keep their place, and are usable by keyboard."""

import re
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Come
from tests.browser.reading_room import NUMBER, PATIENT, ReadingRoom
from tests.browser.visitor import Visitor, visitor
from tests.pages_site import PagesSite, pages_site
from tests.waiting import until

#: Milliseconds that what is new may take on a busy machine; how long it took is printed.
PATIENCE = 60_000


def test_what_is_stored_appears_and_is_labelled_without_a_reload(reading_room: ReadingRoom, come: Come) -> None:
    vera = come("vera", "/arrivals")
    vera.page.evaluate("window.wasNotLoadedAgain = true")
    stored = reading_room.store("live")
    row = vera.page.locator(f'[data-key="{stored}"]')
    expect(row).to_contain_text("Waiting", timeout=PATIENCE)
    reading_room.label(stored, "knee_lateral", 0.93)
    written = time.monotonic()
    expect(row).to_contain_text("Knee lateral", timeout=PATIENCE)
    print(f"\nlabel to row: {time.monotonic() - written:.2f} s")
    expect(row).to_contain_text("93 %")
    assert vera.page.evaluate("window.wasNotLoadedAgain")
    assert PATIENT not in vera.page.content() and NUMBER not in vera.page.content()


def test_filters_stand_in_the_address_and_the_back_button_leads_back(reading_room: ReadingRoom, come: Come) -> None:
    sure, unsure = reading_room.store("sure"), reading_room.store("unsure")
    reading_room.label(sure, "hand_ap", 0.97)
    reading_room.label(unsure, "hand_ap", 0.3)
    reading_room.follow(reading_room.orthanc.instance_ids(0, 1000))
    vera = come("vera", "/arrivals")
    page = vera.page
    page.get_by_label("Status").focus()
    page.keyboard.type("Needs")
    page.keyboard.press("Enter")  # sends the form, as in every form
    page.get_by_role("button", name="Show").press("Enter")
    page.wait_for_url("**/arrivals?*status=needs-review*")
    expect(page.locator(f'[data-key="{unsure}"]')).to_have_count(1)
    expect(page.locator(f'[data-key="{sure}"]')).to_have_count(0)
    mailed = page.url
    page.go_back()
    expect(page.locator(f'[data-key="{sure}"]')).to_have_count(1)
    page.goto(mailed)
    expect(page.get_by_label("Status")).to_have_value("needs-review")
    page.reload()
    expect(page.locator(f'[data-key="{unsure}"]')).to_have_count(1)


@pytest.fixture(scope="module")
def lists_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PagesSite]:
    """A site with images to learn from, and a train worker."""
    folder = tmp_path_factory.mktemp("lists")
    with pages_site(folder, 60) as site, site.training.worker(folder / "train.log"):
        site.follow()
        yield site


@pytest.fixture
def boss(lists_site: PagesSite, chromium: Browser) -> Iterator[Visitor]:
    one = visitor(chromium, lists_site.url)
    one.sign_in("boss", "/jobs")
    yield one
    one.leave()


@pytest.mark.timeout(1200)
def test_a_job_is_submitted_watched_promoted_and_rolled_back(lists_site: PagesSite, boss: Visitor) -> None:
    page, registry = boss.page, lists_site.training.registry
    before = registry.promoted_name()
    expect(page.locator("#truths")).to_contain_text("60 of 60 truths are new")
    for name, value in {"epochs": "2", "views": "50", "rehearsal": "0", "minimum": "1"}.items():
        page.fill(f"#{name}", value)
    page.get_by_label("wait for a person").check()
    page.get_by_role("button", name="Submit").press("Enter")
    page.wait_for_url("**/jobs/*")
    job_id = page.url.rpartition("/")[2]
    expect(page.locator("svg[role=img]")).to_have_attribute("aria-label", _after_epoch(2), timeout=600_000)
    expect(page.locator("#version")).to_be_visible(timeout=600_000)
    version = str(lists_site.training.job(job_id).version)
    assert boss.violations() == []

    page.locator("#version").press("Enter")
    page.wait_for_url(f"**/models/{version}")
    assert boss.violations() == []
    page.get_by_role("button", name="Serve").press("Enter")
    expect(page.locator(".lead")).to_contain_text("Served since", timeout=120_000)
    assert registry.promoted_name() == version

    page.goto(f"{boss.url}/models/compare?old={before}&new={version}")
    expect(page.get_by_role("heading", name="Where they differ")).to_be_visible()
    assert boss.violations() == []

    page.goto(f"{boss.url}/models")
    page.get_by_role("button", name=f"Go back to {before}").press("Enter")
    until(lambda: registry.promoted_name() == before)
    done = lists_site.access.audited()
    for deed in (("job submitted", job_id), ("version promoted", version), ("version rolled back", version)):
        assert ("boss", *deed) in done


def _after_epoch(number: int) -> re.Pattern[str]:
    return re.compile(f"After epoch {number} of 8:")  # two in each of four runs
