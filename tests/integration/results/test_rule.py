"""The rule that each study gets its report, followed by the task of the maintenance queue."""

import json
import time
from io import BytesIO
from typing import Any

import pytest
from pydicom import dcmread

from tests.results_site import ResultsSite
from workers.broker.celery_app import make_app
from workers.broker.queues import LABEL, MAINTENANCE, REPORT_TASK
from workers.metadata.outcome import SKIPPED
from workers.pacs import OrthancClient, OrthancUnavailable
from workers.results import rule
from workers.results.rule import CURSOR, DUE, Rule
from workers.settings import Settings


def run(site: ResultsSite, *, quiet: bool = True) -> int:
    """One run; ``quiet``: as if nothing had happened for long."""
    followed = Rule(site.orthanc, site.ledger, site.broker)
    if not quiet:
        return followed.run(lambda: True)
    followed.run(lambda: False)
    make_due(site)
    return followed.run(lambda: True)


def make_due(site: ResultsSite) -> None:
    for study in site.broker.zrange(DUE, 0, -1):
        site.broker.zadd(DUE, {study: 1})


@pytest.fixture
def followed(site: ResultsSite) -> ResultsSite:
    """The site, with the rule begun."""
    run(site)
    return site


def test_a_study_is_reported_once_it_has_been_quiet(followed: ResultsSite) -> None:
    image = followed.answer(followed.store("a"))
    assert (run(followed, quiet=False), followed.reports()) == (0, {})
    assert followed.broker.zscore(DUE, followed.study_id) > time.time() + rule.QUIET / 2
    assert (run(followed), len(followed.reports())) == (1, 1)
    before = followed.report()
    followed.say(image, "knee_lateral")
    assert run(followed) == 1
    assert followed.report() != before


def test_its_own_reports_set_nothing_off(followed: ResultsSite) -> None:
    followed.answer(followed.store("a"))
    run(followed)
    (report,) = followed.reports()
    assert run(followed) == 0, "a new instance without an outcome is no reason to look"
    followed.answer(report, None, SKIPPED)
    run(followed)
    assert (list(followed.reports()), followed.broker.zcard(DUE), run(followed)) == ([report], 0, 0)


def test_what_was_there_before_the_rule_is_left_to_a_request(site: ResultsSite) -> None:
    site.answer(site.store("a"))
    assert (run(site), run(site), site.reports()) == (0, 0, {})


def test_a_study_that_waits_is_looked_at_again(followed: ResultsSite) -> None:
    image = followed.answer(followed.store("a"))
    followed.ledger.open([image], LABEL)
    assert (run(followed), followed.reports(), followed.broker.zcard(DUE)) == (0, {}, 1)
    followed.ledger.claim("run", LABEL, [image], 1)
    followed.ledger.close("run", image)
    assert (run(followed), len(followed.reports())) == (1, 1)


def test_a_run_that_dies_loses_no_study(followed: ResultsSite, monkeypatch: pytest.MonkeyPatch) -> None:
    followed.answer(followed.store("a"))

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    for name in ("parents_of", "upload"):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(OrthancClient, name, dies)
            run(followed)
    assert (run(followed), len(followed.reports())) == (1, 1)


def test_a_study_that_kills_its_run_does_not_hold_up_the_others(
    followed: ResultsSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    followed.answer(followed.store("a"))
    other = followed.of_study(f"{followed.study}.2")
    other.answer(other.store("b"))
    run(followed, quiet=False)
    followed.broker.zadd(DUE, {followed.study_id: 1, other.study_id: 2})

    def dies(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patch, pytest.raises(MemoryError):
        patch.setattr(rule, "write_report", dies)
        run(followed, quiet=False)
    assert (run(followed, quiet=False), len(other.reports()), followed.reports()) == (1, 1, {})
    assert (run(followed), len(followed.reports())) == (1, 1)


def test_a_study_that_orthanc_fails_for_is_tried_again_later(
    followed: ResultsSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    followed.answer(followed.store("a"))

    def fails(*_: object) -> Any:
        raise OrthancUnavailable("GET instances/...: status 500")

    with monkeypatch.context() as patch:
        patch.setattr(OrthancClient, "file", fails)
        assert run(followed) == 0
    assert followed.broker.zscore(DUE, followed.study_id) > time.time() + rule.QUIET
    assert run(followed) == 1


def test_a_study_that_can_have_none_or_is_deleted_is_forgotten(followed: ResultsSite) -> None:
    image = followed.answer(followed.store("a"))
    followed.answer(followed.store("b", patient="P-2"))
    run(followed)
    assert followed.broker.zcard(DUE) == 0
    followed.broker.zadd(DUE, {followed.orthanc.study_of(image): 1})
    followed.empty()
    run(followed, quiet=False)
    assert followed.broker.zcard(DUE) == 0


def test_another_database_of_orthanc_is_noticed(followed: ResultsSite) -> None:
    followed.answer(followed.store("a"))
    followed.broker.set(CURSOR, followed.orthanc.last_change() + 1000)
    run(followed)
    assert len(followed.reports()) == 1


def test_the_task_does_it_where_the_site_wants_it(followed: ResultsSite, monkeypatch: pytest.MonkeyPatch) -> None:
    from workers import tasks

    for name, value in followed.environment.items():
        monkeypatch.setenv(name, value)
    for each in (tasks.orthanc, tasks.ledger, tasks.broker):
        each.cache_clear()
    followed.answer(followed.store("a"))
    tasks.report()
    make_due(followed)
    tasks.report()
    assert dcmread(BytesIO(followed.report())).Modality == "SR"
    for each in (tasks.orthanc, tasks.ledger, tasks.broker):
        each.cache_clear()
    assert REPORT_TASK not in scheduled(followed)
    assert scheduled(followed, MSK_RESULTS="study")[REPORT_TASK] == MAINTENANCE


def scheduled(site: ResultsSite, **variables: str) -> dict[str, str]:
    """The queues of what is done again and again, by task."""
    app = make_app(Settings.from_environment(site.environment | variables))
    return {entry["task"]: entry["options"]["queue"] for entry in app.conf.beat_schedule.values()}


def test_what_is_noted_names_nobody(followed: ResultsSite) -> None:
    followed.answer(followed.store("a"))
    run(followed, quiet=False)
    kept = json.dumps([followed.broker.get(CURSOR), followed.broker.zrange(DUE, 0, -1)])
    assert "P-1" not in kept and "Quincy" not in kept and followed.study not in kept
