"""Results while Orthanc fails, and while the process dies: what is there stays right, and the next run repairs it."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.faulty_pacs import HANGS, FaultyPacs, faulty_pacs
from tests.results_site import ResultsSite
from workers.cli import main


@pytest.fixture
def proxy(site: ResultsSite) -> Iterator[FaultyPacs]:
    with faulty_pacs(site.server.url) as pacs:
        yield pacs


def environment(site: ResultsSite, proxy: FaultyPacs) -> dict[str, str]:
    return site.environment | {"MSK_ORTHANC_URL": proxy.url}


def msk(site: ResultsSite, proxy: FaultyPacs, *arguments: object) -> Result:
    return CliRunner().invoke(main, [str(each) for each in arguments], env=environment(site, proxy))


@pytest.mark.parametrize(("method", "part", "left"), [("DELETE", "/instances/", 2), ("POST", "/instances", 1)])
def test_a_process_that_is_killed_leaves_what_the_next_one_repairs(
    site: ResultsSite, proxy: FaultyPacs, method: str, part: str, left: int
) -> None:
    image = site.answer(site.store("a"))
    assert msk(site, proxy, "results", "write", site.study).exit_code == 0
    (first,) = site.reports()
    site.answer(image, "knee_lateral")
    reached = threading.Event()

    def hang(asked: str, path: str) -> int | None:
        if asked != method or not path.startswith(part) or "bulk" in path:
            return None
        reached.set()
        return HANGS

    proxy.fault = hang
    command = (sys.executable, "-m", "workers.cli", "results", "write", site.study)
    with subprocess.Popen(command, env=os.environ | environment(site, proxy), stderr=subprocess.DEVNULL) as process:
        assert reached.wait(60)
        process.kill()
    assert len(site.reports()) == left
    proxy.heal()
    done = msk(site, proxy, "results", "write", site.study)
    assert done.exit_code == 0
    assert len(site.reports()) == 1 and first not in site.reports()
    assert msk(site, proxy, "results", "write", site.study).stdout == "reports: 1 unchanged\n"


@pytest.mark.parametrize(("method", "part"), [("GET", "/file"), ("POST", "/instances"), ("GET", "/studies/")])
def test_what_orthanc_fails_at_is_told_and_leaves_no_half(
    site: ResultsSite, proxy: FaultyPacs, method: str, part: str
) -> None:
    site.answer(site.store("a"))
    proxy.spoil(500, method=method, parts=(part,))
    done = msk(site, proxy, "results", "write", site.study)
    assert (done.exit_code, done.stderr.strip()) == (1, f"no report: {site.study}: Orthanc failed: status 500")
    assert site.reports() == {}
    proxy.heal()
    assert msk(site, proxy, "results", "write", site.study).exit_code == 0


def test_an_orthanc_that_is_away_ends_the_command_in_a_line(site: ResultsSite, proxy: FaultyPacs) -> None:
    site.answer(site.store("a"))
    proxy.spoil(503, parts=("/",))
    for arguments in (("results", "write", "--all"), ("export", "--all", "--folder", "never")):
        done = msk(site, proxy, *arguments)
        assert (done.exit_code, done.output.count("\n"), "status 503" in done.output) == (1, 1, True)


def test_an_image_that_orthanc_does_not_deliver_does_not_stop_the_others(
    site: ResultsSite, proxy: FaultyPacs, tmp_path: Path
) -> None:
    bad, good = site.answer(site.store("bad")), site.answer(site.store("good"))
    proxy.spoil(500, parts=(f"{bad}/file",))
    done = msk(site, proxy, "export", site.study, "--folder", tmp_path)
    assert (done.exit_code, done.stdout[:17]) == (1, "1 images exported")
    assert f"{bad}: Orthanc does not deliver it: status 500" in done.stderr and good not in done.stderr
    assert len(list(tmp_path.rglob("*.dcm"))) == 1
    other = site.of_study(f"{site.study}.2")
    other.answer(other.store("a"))
    proxy.spoil(500, parts=(f"/studies/{site.study_id}",))
    done = msk(site, proxy, "export", site.study, other.study, "--folder", tmp_path / "others")
    assert (done.exit_code, done.stdout[:17]) == (1, "1 images exported")
    assert f"{site.study}: Orthanc failed: status 500" in done.stderr
