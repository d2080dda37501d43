"""Reports on request: by the command, and over HTTP."""

import json
from pathlib import Path

from click.testing import CliRunner, Result

from tests.access_site import AccessSite, bearer
from tests.results_site import ResultsSite
from workers.access.role import Role
from workers.cli import main
from workers.metadata.outcome import SKIPPED


def msk(site: ResultsSite, *arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, env=site.environment)


def test_the_command_writes_what_is_named_and_all(site: ResultsSite) -> None:
    site.empty()
    site.answer(site.store("a"))
    done = msk(site, "results", "write", site.study)
    assert (done.exit_code, done.stdout) == (0, "reports: 1 written\n")
    other = site.of_study(f"{site.study}.2")
    other.answer(other.store("b"))
    waiting = site.of_study(f"{site.study}.3")
    waiting.store("c")
    done = msk(site, "results", "write", "--all", "--json")
    told = {each["study"]: each["status"] for each in json.loads(done.stdout)["reports"]}
    assert done.exit_code == 0
    assert [told[each.study_id] for each in (site, other, waiting)] == ["unchanged", "written", "waiting"]
    done = msk(site, "results", "write", waiting.study)
    assert (done.exit_code, done.stdout) == (1, "reports: 1 waiting\n")


def test_what_cannot_be_done_for_one_does_not_stop_the_others(site: ResultsSite) -> None:
    site.answer(site.store("a"))
    site.answer(site.store("b", patient="P-2"))
    other = site.of_study(f"{site.study}.2")
    other.answer(other.store("b"))
    done = msk(site, "results", "write", "2.25.404", "a name", site.study, other.study_id)
    assert done.exit_code == 1
    assert "no report: 2.25.404: Orthanc holds no study with this Study Instance UID" in done.stderr
    assert f"no report: {site.study}: Orthanc holds this Study Instance UID under 2 patients" in done.stderr
    assert len(other.reports()) == 1
    assert msk(site, "results", "write").exit_code == 2


def test_a_report_is_no_picture_of_its_study(site: ResultsSite, tmp_path: Path) -> None:
    image = site.answer(site.store("a"))
    msk(site, "results", "write", site.study)
    (report,) = site.reports()
    site.answer(report, None, SKIPPED)
    own = AccessSite(site.broker_url, str(tmp_path / "records"), site.environment)
    with own.gateway() as client:
        client.headers.update(bearer(own.token(own.add("vera", Role.VIEWER), Role.VIEWER)))
        page = client.get(f"/studies/{site.study}").text
    assert (image in page, report in page) == (True, False)
    own.dispose()


def test_over_http_a_reviewer_asks_for_it(site: ResultsSite, tmp_path: Path) -> None:
    image = site.answer(site.store("a"))
    own = AccessSite(site.broker_url, str(tmp_path / "records"), site.environment)
    anna, vera = own.add("anna", Role.REVIEWER), own.add("vera", Role.VIEWER)
    path = f"/api/studies/{site.study}/report"
    with own.gateway() as client:
        assert client.post(path).status_code == 401
        assert client.post(path, headers=bearer(own.token(vera, Role.VIEWER))).status_code == 403
        client.headers.update(bearer(own.token(anna, Role.REVIEWER)))
        made = client.post(path)
        assert (made.status_code, made.json()["status"], made.json()["images"]) == (201, "written", 1)
        again = client.post(path)
        assert (again.status_code, again.json()) == (200, made.json() | {"status": "unchanged"})
        assert client.post("/api/studies/2.25.404/report").status_code == 404
        assert client.post("/api/studies/name/report").status_code == 404
        site.store("b")
        waits = client.post(path)
        assert (waits.status_code, waits.json()["detail"][:31]) == (409, "1 of its instances have no outc")
        site.answer(site.store("c", patient="P-2"))
        assert (client.post(path).status_code, "2 patients" in client.post(path).text) == (409, True)
    assert ("anna", "report asked for", site.orthanc.study_of(image)) in own.audited()
    own.dispose()
