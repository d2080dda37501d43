"""Real OHIF in a real Chromium hangs studies by their labels, whatever their headers say."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Come
from tests.browser.reading_room import ReadingRoom, running_reading_room
from tests.browser.reviewing import expect_progress, keys_of, press, queue_of, shown
from tests.browser.viewer_studies import VIEWED, Film
from tests.browser.visitor import Visitor, visitor
from workers.viewer.installing import install, installed_pages
from workers.viewer.package import ViewerError

#: What OHIF warns of as a matter of course: its default protocol has no rules, and a place may have no picture.
USUAL = r"no matching rules - specify protocolMatchingRules for default|viewport is requesting to display"

SWAPPED = (
    Film("knee lateral", "knee_lateral", body_part="LEG", view_position="AP"),
    Film("knee AP", "knee_ap", body_part="LEG", view_position="LL"),
)
SILENT = (
    Film("silent lateral", "ankle_lateral", study="silent", series="1"),
    Film("silent AP", "ankle_ap", study="silent", series="2"),
)
BEFORE = (
    Film("left AP", "knee_ap", "L", study="before", series="1", year=2025, body_part="KNEE", view_position="AP"),
    Film("right lateral", "knee_lateral", study="before", series="2", year=2025, body_part="LEG", view_position="AP"),
    Film("right AP", "knee_ap", study="before", series="2", year=2025, body_part="LEG"),
    Film("left lateral", "knee_lateral", "L", study="before", series="2", year=2025),
)
DIGITISED = (
    Film("film lateral", "elbow_lateral", study="digitised", is_digitised=True),
    Film("film AP", "elbow_ap", study="digitised", is_digitised=True),
)
FILMS = (*SWAPPED, *SILENT, *BEFORE, *DIGITISED)
COMPARED = ["knee AP 2026", "knee lateral 2026", "right AP 2025", "right lateral 2025"]
WORDS = {film.dataset.SOPInstanceUID: f"{film.words} {film.year}" for film in FILMS}


@pytest.fixture(scope="module")
def viewer_pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """OHIF's pages: this environment's, or fetched for the tests."""
    folder = installed_pages(None) or tmp_path_factory.mktemp("viewer") / "ohif"
    try:
        install(folder)
    except ViewerError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    return folder


@pytest.fixture(scope="module")
def room(viewer_pages: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReadingRoom]:
    with running_reading_room(tmp_path_factory.mktemp("viewer-room"), viewer_pages) as room:
        room.follow([film.store(room) for film in FILMS])
        yield room


@pytest.fixture
def boss(room: ReadingRoom, chromium: Browser) -> Iterator[Visitor]:
    """The administrator, who may see names."""
    one = visitor(chromium, room.url)
    one.sign_in("boss")
    one.expected = USUAL
    yield one
    one.leave()


@pytest.fixture(scope="module")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.getbasetemp() / "shots"
    folder.mkdir(exist_ok=True)
    return folder


def uid_of(films: Sequence[Film]) -> str:
    return str(films[0].dataset.StudyInstanceUID)


def instance_of(room: ReadingRoom, film: Film) -> str:
    found = room.orthanc.lookup(film.dataset.SOPInstanceUID)
    assert found
    return found


def viewed(one: Visitor) -> list[str]:
    """What the viewports show, from the top left to the bottom right."""
    uids = one.page.wait_for_function(VIEWED).json_value()
    return [WORDS[uid] if uid else "" for uid in uids]


def test_headers_that_are_swapped_or_silent_hang_by_the_labels(boss: Visitor, shots: Path) -> None:
    boss.open(f"/ohif/viewer?StudyInstanceUIDs={uid_of(SWAPPED)}")
    assert viewed(boss) == ["knee AP 2026", "knee lateral 2026"]
    boss.page.screenshot(path=shots / "viewer-swapped.png")
    boss.open(f"/ohif/viewer?StudyInstanceUIDs={uid_of(SILENT)}")
    assert viewed(boss) == ["silent AP 2026", "silent lateral 2026"]
    boss.page.screenshot(path=shots / "viewer-silent.png")


def test_digitised_films_of_one_series_hang_apart(boss: Visitor, shots: Path) -> None:
    boss.open(f"/ohif/viewer?StudyInstanceUIDs={uid_of(DIGITISED)}")
    assert viewed(boss) == ["film AP 2026", "film lateral 2026"]
    boss.page.wait_for_load_state("networkidle")
    assert boss.page.evaluate("window.services.displaySetService.getActiveDisplaySets().length") == 2
    boss.page.screenshot(path=shots / "viewer-digitised.png")


def test_the_prior_hangs_below_with_the_same_side_and_views(boss: Visitor, shots: Path) -> None:
    boss.page.set_viewport_size({"width": 1920, "height": 1080})
    boss.open(f"/ohif/viewer?StudyInstanceUIDs={uid_of(SWAPPED)},{uid_of(BEFORE)}")
    assert viewed(boss) == COMPARED
    boss.page.screenshot(path=shots / "viewer-prior.png")


def test_both_knees_hang_in_rows_the_right_one_first(boss: Visitor, shots: Path) -> None:
    boss.open(f"/ohif/viewer?StudyInstanceUIDs={uid_of(BEFORE)}")
    assert viewed(boss) == ["right AP 2025", "right lateral 2025", "left AP 2025", "left lateral 2025"]
    boss.page.screenshot(path=shots / "viewer-both.png")


def test_what_a_person_says_on_the_review_page_hangs_it_anew(
    room: ReadingRoom, boss: Visitor, chromium: Browser, shots: Path
) -> None:
    stored = [instance_of(room, film) for film in FILMS]
    boss.open(f"/ohif/viewer?StudyInstanceUIDs={uid_of(SILENT)}")
    assert viewed(boss) == ["silent AP 2026", "silent lateral 2026"]
    corrected = dict(zip((instance_of(room, film) for film in SILENT), ("ankle_ap", "ankle_lateral"), strict=True))
    anna = visitor(chromium, room.url)
    anna.sign_in("anna", "/review")
    keys, queue = keys_of(anna.page), queue_of(anna.page)
    for _ in queue:
        said = corrected.get(shown(anna.page))
        press(anna.page, keys[said] if said else [" "])
    expect_progress(anna.page, f"{len(queue)} of {len(queue)}, {len(queue) - len(corrected)} agreed.")
    anna.leave()
    room.follow(stored)
    boss.page.reload()
    assert viewed(boss) == ["silent lateral 2026", "silent AP 2026"]
    boss.page.screenshot(path=shots / "viewer-corrected.png")


def test_the_study_page_opens_the_viewer_beside_the_best_prior_for_those_who_may_see_names(
    room: ReadingRoom, boss: Visitor, chromium: Browser
) -> None:
    boss.open(f"/studies/{uid_of(SWAPPED)}")
    boss.page.get_by_role("link", name="Open in viewer", exact=True).press("Enter")
    boss.page.wait_for_url(f"{room.url}/ohif/viewer?StudyInstanceUIDs={uid_of(SWAPPED)}*")
    assert viewed(boss) == COMPARED

    anna = visitor(chromium, room.url)
    anna.open("/ohif/viewer?StudyInstanceUIDs=1.2.3")  # nobody yet
    assert anna.page.url == f"{room.url}/login?next=/ohif/viewer%3FStudyInstanceUIDs%3D1.2.3"
    anna.sign_in("anna", f"/studies/{uid_of(SWAPPED)}")
    expect(anna.page.get_by_role("link", name="In Orthanc Explorer")).to_be_visible()
    expect(anna.page.get_by_role("link", name="Open in viewer")).to_have_count(0)
    anna.expected = "403"
    for path in ("/ohif/", f"/studies/{uid_of(SWAPPED)}/viewer"):
        anna.open(path)
        expect(anna.page.get_by_role("alert")).to_contain_text("needs the role admin")
    anna.leave()


def test_orthanc_explorer_opens_the_viewer(room: ReadingRoom, chromium: Browser) -> None:
    server = room.server
    login = {"username": server.user, "password": server.password, "origin": server.url}
    one = visitor(chromium, room.url, http_credentials=login)
    one.expected = f"{USUAL}|asked another host: {server.url}/|{server.url}/app/"
    one.sign_in("boss")
    study = room.orthanc.lookup_study(uid_of(SWAPPED))
    one.page.goto(f"{server.url}/app/explorer.html#study?uuid={study}")
    with one.context.expect_page() as opened:
        one.page.get_by_role("link", name="Open in viewer").click()
    opened.value.wait_for_url(f"{room.url}/ohif/viewer?StudyInstanceUIDs={uid_of(SWAPPED)}*")
    one.leave()


def test_a_study_that_is_gone_is_said_and_none_of_it_is_shown(boss: Visitor) -> None:
    boss.expected = f"{USUAL}|Study not found|404|request failed|Orthanc holds no such study"
    boss.open("/ohif/viewer?StudyInstanceUIDs=1.2.3.4")
    boss.page.wait_for_url("**/ohif/notfoundstudy")


def test_without_its_pages_nothing_leads_to_the_viewer(reading_room: ReadingRoom, come: Come) -> None:
    reading_room.clear()
    study = reading_room.orthanc.study_of(reading_room.store("without-viewer"))
    boss = come("boss", f"/studies/{study}")
    expect(boss.page.get_by_role("link", name="In Orthanc Explorer")).to_be_visible()
    expect(boss.page.get_by_role("link", name="Open in viewer")).to_have_count(0)
    boss.expected = "404"
    for path in ("/ohif/", f"/studies/{study}/viewer"):
        boss.open(path)
        expect(boss.page.get_by_role("alert")).to_contain_text("Not Found")
