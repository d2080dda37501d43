"""Every page in a real browser: nothing in the console, nothing from elsewhere, nothing that axe finds, no patient."""

from typing import Literal

import pytest
from playwright.sync_api import expect

from tests.access_site import PASSWORD
from tests.browser.conftest import Come
from tests.browser.reading_room import NUMBER, PATIENT, ReadingRoom

CLAIMS = {
    "claims": [{"field": "body part", "kind": "region", "terms": ["elbow"]}],
    "side": "R",
    "group": "0123456789ab",
}
LISTS = ("/arrivals", "/ledger", "/models", "/models/shipped", "/jobs", "/users", "/account")
#: Themes and widths share no rule, so two of the four pairs show all of them.
LOOKS: tuple[tuple[Literal["dark", "light"], int], ...] = (("dark", 1280), ("light", 820))
PATHS = (*LISTS, "/review", "/review?queue=random", "/studies")


@pytest.fixture(scope="module")
def study(reading_room: ReadingRoom) -> str:
    """Orthanc's identifier of a study with knees of both sides, a hand that is doubtful, and what has no label."""
    reading_room.clear()
    views = [("knee_lateral", "R"), ("knee_ap", "R"), ("knee_ap", "L"), ("hand_ap", "R")]
    found = []
    for number, (label, side) in enumerate(views):
        instance = reading_room.store(f"wall-{number}", rows=900, columns=700, study="wall")
        reading_room.label(instance, label, 0.97 - number / 5, claims=CLAIMS | {"side": side}, disagreement=number / 4)
        found.append(instance)
    found.append(reading_room.store("wall-unlabelled", study="wall"))
    reading_room.follow(found)
    return reading_room.orthanc.study_of(found[0])


def test_every_page_is_accessible_and_names_no_patient(
    study: str, come: Come, tmp_path_factory: pytest.TempPathFactory
) -> None:
    boss = come("boss")
    shots = tmp_path_factory.getbasetemp() / "shots"
    shots.mkdir(exist_ok=True)
    for path in (*PATHS, f"/studies/{study}"):
        boss.open(path)
        boss.page.wait_for_load_state("networkidle")
        if path == f"/studies/{study}":
            boss.page.locator("summary").first.click()
        text = boss.page.content()
        assert not any(word in text for word in (*PATIENT.split("^"), NUMBER)), path
        for scheme, width in LOOKS:
            boss.page.emulate_media(color_scheme=scheme)
            boss.page.set_viewport_size({"width": width, "height": 800})
            name = path.strip("/").translate(str.maketrans("/?=", "---"))[:16]
            boss.page.screenshot(path=shots / f"{name}-{width}-{scheme}.png")
            assert boss.violations() == [], path
            overflow = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert boss.page.evaluate(overflow) <= 0, f"{path} scrolls sideways"
    boss.open("/review")
    boss.page.keyboard.press("?")
    assert boss.violations() == []


def test_the_login_page_is_accessible(come: Come) -> None:
    stranger = come()
    stranger.open("/login")
    assert stranger.violations() == []


def test_a_study_hangs_by_its_labels_and_is_looked_at_by_the_keyboard(
    reading_room: ReadingRoom, study: str, come: Come
) -> None:
    vera = come("vera", "/studies")
    vera.page.get_by_role("link", name=study).press("Enter")
    page = vera.page
    page.wait_for_url(f"{reading_room.url}/studies/{study}")
    assert page.locator(".hanging h2").all_text_contents() == [
        "Knee, right",
        "Knee, left",
        "Without a label of a joint",
    ]
    knees = page.get_by_role("region", name="Knee, right").locator(".viewport")
    assert [each.get_attribute("aria-label") for each in knees.all()] == ["Knee AP", "Knee lateral"]
    expect(page.get_by_role("heading", level=1)).to_have_text("Study of 2024-02-29")

    picture, other = knees.first.locator("img"), knees.last.locator("img")
    knees.first.focus()
    for key, expected in (("i", "invert"), ("]", "brightness(110%)"), (".", "contrast(110%)")):
        page.keyboard.press(key)
        assert expected in (picture.get_attribute("style") or "")
    page.keyboard.press("+")
    page.keyboard.press("ArrowRight")
    assert "scale(1.5)" in (picture.get_attribute("style") or "")
    assert "translate(-1" in (picture.get_attribute("style") or "")
    assert not other.get_attribute("style")
    page.keyboard.press("0")
    assert "invert" not in (picture.get_attribute("style") or "")

    page.keyboard.press("Enter")  # selects it alone
    page.get_by_role("slider", name="Contrast").press("End")
    assert "contrast(400%)" in (picture.get_attribute("style") or "")
    assert not other.get_attribute("style")

    links = page.locator("a[href*='explorer.html']")
    assert (links.first.get_attribute("href") or "").startswith(reading_room.server.url)
    expect(page.get_by_role("button", name="Withdraw")).to_have_count(0)  # a viewer


def test_a_side_is_said_on_the_page_of_the_study(study: str, come: Come) -> None:
    page = come("bert", f"/studies/{study}").page
    lateral = page.get_by_role("region", name="Knee, right").locator("figure", has_text="Knee lateral")
    lateral.locator("summary").press("Enter")
    lateral.get_by_role("button", name="is of the left").press("Enter")
    moved = page.get_by_role("region", name="Knee, left").locator("figure", has_text="Knee lateral")
    expect(moved).to_contain_text("said by bert")
    moved.locator("summary").press("Enter")
    expect(moved).to_contain_text("bert said Knee lateral, left")
    expect(moved.get_by_role("button", name="is of the left")).to_have_attribute("aria-pressed", "true")
    moved.get_by_role("button", name="Withdraw").press("Enter")
    expect(moved).to_have_count(0)


def test_a_study_is_found_by_its_uid_and_what_was_said_is_withdrawn_there(
    reading_room: ReadingRoom, study: str, come: Come
) -> None:
    instance = next(iter(reading_room.orthanc.study_metadata(study, 10) or {}))
    with reading_room.client_of("anna") as client:
        assert client.put(f"/api/instances/{instance}/truth", json={"label": "ankle_ap"}).status_code == 200
    uid = reading_room.orthanc._http.json("GET", f"studies/{study}")["MainDicomTags"]["StudyInstanceUID"]
    bert = come("bert", f"/studies/{uid}")
    picture = bert.page.get_by_role("region", name="Ankle")
    expect(picture).to_contain_text("said by anna")
    picture.locator("summary").press("Enter")
    expect(picture).to_contain_text("anna said Ankle AP")
    picture.get_by_role("button", name="Withdraw").press("Enter")
    expect(bert.page.get_by_role("region", name="Ankle")).to_have_count(0)
    truth = reading_room.truth(instance)
    assert truth and (truth.now.withdrawn, truth.author) == (True, "bert")


def test_a_study_that_is_not_there_is_said_in_words(come: Come) -> None:
    vera = come("vera")
    vera.expected = "404"
    for each in ("1.2.3", "not-a-study", "00000000-11111111-22222222-33333333-44444444"):
        vera.open(f"/studies/{each}")
        expect(vera.page.get_by_role("alert")).to_contain_text("Orthanc holds no such")


def test_orthanc_explorer_leads_to_the_study_by_way_of_signing_in(
    reading_room: ReadingRoom, study: str, come: Come
) -> None:
    server = reading_room.server
    login = {"username": server.user, "password": server.password, "origin": server.url}
    vera = come(http_credentials=login)
    vera.expected = f"asked another host: {server.url}/|{server.url}/app/"
    vera.page.goto(f"{server.url}/app/explorer.html#study?uuid={study}")
    with vera.context.expect_page() as opened:
        vera.page.get_by_role("link", name="Labels of this study").click()
    page = opened.value
    page.get_by_label("Name").fill("vera")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{reading_room.url}/studies/{study}")
    expect(page.get_by_role("heading", level=2, name="Knee, right")).to_be_visible()
