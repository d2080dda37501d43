"""What was stored, as a list over HTTP: filters and place in the address, and news of what is new."""

import re
import threading
from collections.abc import Iterator
from html import unescape

import httpx
import pytest

from tests.pages_site import CLAIMS, PATIENT, PagesSite
from tests.waiting import until
from workers.metadata.outcome import FAILED, NEEDS_REVIEW
from workers.pages.arrivals import ROWS

ROW = re.compile(r'<tr data-key="([0-9a-f-]+)">')


@pytest.fixture
def vera(site: PagesSite) -> Iterator[httpx.Client]:
    with site.as_("vera") as client:
        yield client


def shown(client: httpx.Client, address: str) -> list[str]:
    answer = client.get(address)
    assert answer.status_code == 200, answer.text
    assert PATIENT not in answer.text
    return ROW.findall(answer.text)


def text_of(client: httpx.Client, address: str, instance_id: str) -> str:
    """The row of an instance as people read it."""
    page = client.get(address).text
    row = page[page.index(f'data-key="{instance_id}"') :]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", row[: row.index("</tr>")])).split())


def test_a_row_says_what_it_is_how_sure_and_what_the_header_says_otherwise(site: PagesSite, vera: httpx.Client) -> None:
    stored = site.training.store_image(1001, truth=None)
    site.training.orthanc.delete_metadata(stored, "MskTruth")
    site.label(stored, disagreement=0.93, claims=CLAIMS)
    until(lambda: site.indexed("disagreement").get(stored) == 0.93, 60)
    row = text_of(vera, "/arrivals?disagrees=1", stored)
    assert "Knee AP" in row and "90 %" in row and "elbow" in row and "Labelled" in row and "label after" in row
    assert stored in shown(vera, "/arrivals?shows=knee_ap")
    assert stored not in shown(vera, "/arrivals?shows=knee_lateral")
    assert stored not in shown(vera, "/arrivals?status=failed")


def test_what_a_person_said_is_shown_before_what_the_model_says(site: PagesSite, vera: httpx.Client) -> None:
    stored = site.training.store_image(1002)
    site.label(stored, NEEDS_REVIEW, reason="low confidence")
    until(lambda: site.indexed("reason").get(stored) == "low confidence", 60)
    row = text_of(vera, "/", stored)
    assert "Stripes" in row and "said by a person" in row and "Needs review low confidence" in row


def test_pages_by_key_show_everything_once_in_order_and_lead_back(site: PagesSite, vera: httpx.Client) -> None:
    while len(site.indexed()) <= 2 * ROWS:
        for number in range(2000 + len(site.indexed()), 2000 + 2 * ROWS + 1):
            site.training.store_image(number)
        site.follow()
    seen, addresses, address = [], [], "/arrivals"
    while address:
        page = vera.get(address).text
        addresses.append((address, ROW.findall(page)))
        seen += ROW.findall(page)
        found = re.search(r'<a href="([^"]+)" rel="next">Older', page)
        address = unescape(found[1]) if found else ""
    assert len(seen) == len(set(seen)) == len(site.indexed())
    times = site.indexed("stored_at")
    assert [(times[each], each) for each in seen] == sorted(((times[each], each) for each in seen), reverse=True)
    last = vera.get(addresses[2][0]).text
    newer = re.search(r'<a href="([^"]+)">Newer', last)
    assert newer and shown(vera, unescape(newer[1])) == addresses[1][1]


@pytest.mark.parametrize("query", ["day=x", "status=odd", "shows=<b>", "after=x", "day=0001-01-01"])
def test_an_address_that_cannot_be_is_refused_in_a_sentence(vera: httpx.Client, query: str) -> None:
    answer = vera.get(f"/arrivals?{query}")
    assert answer.status_code == 422 or (query == "day=0001-01-01" and answer.status_code == 200)
    assert "<b>" not in answer.text


def test_whoever_listens_is_told_of_a_label_and_a_gateway_that_ends_lets_go(
    site: PagesSite, vera: httpx.Client
) -> None:
    stored = site.training.store_image(3001)
    until(lambda: stored in site.indexed(), 60)
    told = threading.Event()
    with vera.stream("GET", "/live", timeout=120) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        assert next(lines) == "retry: 1000"
        threading.Timer(0.5, lambda: site.label(stored, FAILED, reason="the image is damaged")).start()
        for line in lines:
            if line == "event: index" and site.indexed().get(stored) == FAILED:
                told.set()
                break
    assert told.is_set()


def test_strangers_hear_nothing(site: PagesSite) -> None:
    assert site.client.get("/live").status_code == 401
