"""`msk jobs suggest` with a real Orthanc: the suggestions, the table to fill in, and its import."""

import asyncio
import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result

from mskmodel.dicom.writing import Header, write_dx
from mskmodel.labels import KEYS
from mskmodel.registry.decision import UNLIKE
from tests import dicom_files
from tests.servers import Orthanc, new_webhook_secret, running_orthanc
from workers.cli import main
from workers.corrections.suggesting import suggestions
from workers.gateway.app import create_app
from workers.metadata.outcome import FAILED, LABELLED, NEEDS_REVIEW, PREDICTION, Outcome
from workers.metadata.truth import Truth
from workers.metadata.truth_changes import set_truth
from workers.pacs import OrthancClient
from workers.settings import Settings

TOPS = {
    "certain": (("knee_ap", 0.99), ("knee_lateral", 0.01)),
    "torn": (("hand_ap", 0.48), ("hand_lateral", 0.45)),
    "second visit": (("hand_ap", 0.50), ("hand_lateral", 0.45)),
    "contradicted": (("foot_ap", 0.98), ("foot_lateral", 0.01)),
    "unlike": (("elbow_ap", 0.3), ("foot_ap", 0.02)),
}


class Site:
    """An Orthanc with instances that a model has looked at, by the names of `TOPS`; and some that do not count."""

    def __init__(self, server: Orthanc, folder: Path) -> None:
        self._server, self.folder = server, folder
        self.orthanc = OrthancClient(server.url, server.user, server.password)
        self.ids = {name: self._store(name, "torn" if name == "second visit" else name) for name in TOPS}
        for name, top in TOPS.items():
            abstains = name == "unlike"
            status, reason = (NEEDS_REVIEW, UNLIKE) if abstains else (LABELLED, None)
            label = None if abstains else top[0][0]
            found = Outcome(status, "0" * 32, 1, label, top[0][1], top, reason=reason)
            outcome = replace(found, disagreement=0.9 if name == "contradicted" else 0.1)
            self.orthanc.put_metadata(self.ids[name], PREDICTION, outcome.to_json())
        known = self._store("known", "known")
        torn = Outcome(LABELLED, "0" * 32, 1, "hand_ap", top5=TOPS["torn"])
        self.orthanc.put_metadata(known, PREDICTION, torn.to_json())
        set_truth(self.orthanc, known, "hand_ap", "a", KEYS)
        for number, text in enumerate(("scribble", '{"status":"labelled","attachment_md5":"","tries":1,"top5":[[1]]}')):
            self.orthanc.put_metadata(self._store(f"odd {number}", "odd"), PREDICTION, text)
        failed = Outcome(FAILED, "0" * 32, 3, reason="damaged")
        self.orthanc.put_metadata(self._store("failed", "failed"), PREDICTION, failed.to_json())
        self._store("not looked at yet", "new")

    def _store(self, identity: str, patient: str) -> str:
        header = Header(identity=identity, study=patient, patient_id=patient, patient_name=f"Quincy^{patient}")
        return self.orthanc.upload(write_dx(dicom_files.gradient(12, 96, 80), header=header, bits=12))

    @property
    def environment(self) -> dict[str, str]:
        return self._server.access | {
            "MSK_BROKER_URL": "redis://127.0.0.1:1/0",
            "MSK_API_TOKEN": "a-token-of-this-test",
            "MSK_MODELS": str(self.folder / "models"),
        }

    def msk(self, *arguments: str | Path) -> Result:
        return CliRunner().invoke(main, [str(each) for each in arguments], env=self.environment)

    def truth(self, name: str) -> Truth | None:
        return Truth.of(self.orthanc.metadata(self.ids[name]))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_orthanc(tmp_path_factory.mktemp("orthanc")) as server:
        yield Site(server, tmp_path_factory.mktemp("site"))


def test_instances_without_a_truth_are_suggested_the_most_doubtful_first(site: Site) -> None:
    result = site.msk("jobs", "suggest", "20", "--json", "-")

    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    names = {instance_id: name for name, instance_id in site.ids.items()}
    order = [names[one["instance"]] for one in found]
    assert order == ["torn", "unlike", "contradicted", "certain", "second visit"], "the same patient waits"
    by_name = dict(zip(order, found, strict=True))
    assert by_name["torn"]["why"] == "hand_ap (0.48) or hand_lateral (0.45)"
    assert by_name["unlike"]["suggested"] == ""
    assert by_name["contradicted"]["header_disagrees"] is True
    assert by_name["torn"]["link"].endswith(f"/app/explorer.html#instance?uuid={site.ids['torn']}")
    assert "Quincy" not in result.output
    assert [each.key for each in suggestions(site.orthanc, 1)] == [site.ids["torn"]]


def test_headers_that_are_wrong_by_the_pixels_are_listed_by_themselves(site: Site) -> None:
    result = site.msk("jobs", "suggest", "20", "--headers", "--json", "-")

    assert result.exit_code == 0, result.output
    assert [(one["instance"], one["disagreement"]) for one in json.loads(result.stdout)] == [
        (site.ids["contradicted"], 0.9)
    ]


@pytest.mark.parametrize(("columns", "identifier"), [("80", slice(8)), ("120", slice(None))])
def test_what_is_printed_fits_the_terminal_and_links_to_orthanc(
    site: Site, monkeypatch: pytest.MonkeyPatch, columns: str, identifier: slice
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    link = "/app/explorer.html#instance?uuid="

    printed = site.msk("jobs", "suggest", "20").stdout
    with_links = site.msk("jobs", "suggest", "20", "--links").stdout
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal
    on_terminal = site.msk("jobs", "suggest", "20").stdout

    assert max(map(len, printed.splitlines())) <= int(columns)
    shown = next(line for line in printed.splitlines() if "or hand_lateral" in line)
    assert shown.split()[:2] == [site.ids["torn"][identifier], "hand_ap"]
    assert link not in printed
    assert with_links.count(link) == on_terminal.count("\x1b]8;id=") == 5
    assert f"{link}{site.ids['torn']}\n" in with_links


def test_the_same_instances_are_suggested_over_http(site: Site) -> None:
    gateway = create_app(Settings.from_environment(site.environment | {"MSK_WEBHOOK_SECRET": new_webhook_secret()}))

    async def get(**headers: str) -> httpx.Response:
        transport = httpx.ASGITransport(gateway)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway", headers=headers) as client:
            return await client.get("/api/suggestions?count=2")

    assert asyncio.run(get()).status_code == 401
    found = asyncio.run(get(Authorization="Bearer a-token-of-this-test")).json()
    assert found == json.loads(site.msk("jobs", "suggest", "2", "--json", "-").stdout)
    assert [one["instance"] for one in found] == [site.ids["torn"], site.ids["unlike"]]


def test_a_table_sets_no_truth_until_a_person_fills_it_in(site: Site, tmp_path: Path) -> None:
    table = tmp_path / "look.csv"
    result = site.msk("jobs", "suggest", "4", "--csv", table)
    assert result.exit_code == 0, result.output
    assert "hand_ap (0.48) or hand_lateral (0.45)" in result.stdout

    untouched = site.msk("truth", "import", table, "--author", "a")
    assert untouched.stdout == "0 of 0 truths are set\n"
    assert untouched.stderr.strip() == "4 rows are not filled in: their label is ?"
    assert all(site.truth(name) is None for name in TOPS)

    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    rows[0]["label"], rows[1]["label"] = "hand_lateral", "none"
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    filled = site.msk("truth", "import", table, "--author", "a")

    assert filled.exit_code == 0, filled.output
    assert filled.stdout == "2 of 2 truths are set\n"
    assert "2 rows are not filled in" in filled.stderr
    torn, unlike = site.truth("torn"), site.truth("unlike")
    assert (torn and torn.label, unlike and unlike.label, unlike is None) == ("hand_lateral", None, False)
    assert site.truth("contradicted") is None
    left = {each.key for each in suggestions(site.orthanc, 20)}
    assert left == {site.ids[name] for name in ("contradicted", "second visit", "certain")}


def test_a_table_that_cannot_be_written_is_reported_before_the_work(site: Site) -> None:
    result = site.msk("jobs", "suggest", "4", "--csv", "/nowhere/look.csv")

    assert result.exit_code == 2
    assert "cannot write" in result.output
