"""The ledger's page: nothing is lost is said only where that is so; what failed is tried again by administrators."""

import re
from html import unescape

from tests.pages_site import PATIENT, PagesSite
from tests.waiting import until
from workers.metadata.outcome import FAILED
from workers.reconciliation.balance import astray
from workers.records.arrivals import Place

REASON = "the header has more elements than any radiograph"
LONG_AGO = "2026-01-01T00:00:00+00:00"


def lead(page: str) -> str:
    found = re.search(r'<section id="balance".*?<p class="lead[^"]*">(.*?)</p>', page, re.S)
    assert found, page
    return unescape(found[1])


def test_the_sentence_counts_what_orthanc_holds_and_what_waits(site: PagesSite) -> None:
    waiting = [each for each, status in site.indexed().items() if status is None]
    site.ledger.open(waiting, "label.backfill")
    stored = site.training.orthanc.statistics().instances
    with site.as_("vera") as vera:
        page = vera.get("/ledger").text
    said = re.fullmatch(r"Nothing is lost: ([\d,]+) stored, ([\d,]+) done, ([\d,]+) waiting, oldest .+\.", lead(page))
    assert said, lead(page)
    numbers = [int(each.replace(",", "")) for each in said.groups()]
    assert numbers == [stored, stored - len(waiting), len(waiting)]
    assert PATIENT not in page and "label.backfill" in page


def test_what_is_nowhere_is_found(site: PagesSite) -> None:
    stored = site.training.store_image(4001)
    labelled = site.training.store_image(4002)
    site.label(labelled)
    queued = site.training.store_image(4003)
    site.ledger.open([queued], "label")
    places = [Place(LONG_AGO, each) for each in (stored, labelled, queued, "0" * 8 + "-00000000" * 4)]
    assert astray(site.ledger, site.training.orthanc, places) == [stored]
    site.ledger.open([stored], "label")
    assert astray(site.ledger, site.training.orthanc, places) == []


def test_what_failed_is_tried_again_by_an_administrator_alone(site: PagesSite) -> None:
    stored = site.training.store_image(4010)
    site.label(stored, FAILED, reason=REASON)
    until(lambda: site.indexed("reason").get(stored) == REASON, 60)
    asked = {"status": FAILED, "reason": REASON}
    with site.as_("rita") as rita:
        page = rita.get("/ledger").text
        assert REASON in page and "/ledger/retry" not in page
        assert rita.post("/ledger/retry", data=asked).status_code == 403
    assert not site.ledger.holds([stored])
    with site.as_("boss") as boss:
        page = boss.get("/ledger").text
        token = re.search(r'name="csrf" value="(\w+)"', page)
        assert token and "/ledger/retry" in page
        assert boss.post("/ledger/retry", data=asked).status_code == 403, "without the token against forgery"
        answer = boss.post("/ledger/retry", data=asked | {"csrf": token[1]})
        assert (answer.status_code, answer.headers["location"]) == (303, "/ledger?again=1&left=0")
        assert boss.post("/ledger/retry", data={**asked, "reason": "none", "csrf": token[1]}).status_code == 404
    assert site.ledger.holds([stored]) == {stored}
    assert ("boss", "instances retried", FAILED) in site.access.audited()
