"""Training jobs on a real Orthanc and a real Valkey: whatever is killed, each is done once, and its end is recorded."""

import json
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import redis

from mskmodel.judging.gate import Verdict
from mskmodel.registry import read_manifest
from tests.training_site import CLASSES, Site, Worker, logits_of
from tests.waiting import until
from workers.jobs.request import InvalidRequest, JobRequest
from workers.jobs.store import AWAITING_APPROVAL, CANCELLED, CANCELLING, FAILED, PROMOTED, QUEUED, REFUSED, RUNNING
from workers.jobs.submission import check_labels
from workers.jobs.watch import MAX_TRIES, do_next
from workers.metadata.truth_changes import set_truth

#: Seconds that a job may take on a busy machine.
PATIENCE = 120.0
#: Enough to tell a model that knows from one that guesses.
PATIENTS = 180


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site.opened(tmp_path_factory.mktemp("site"), PATIENTS) as site:
        yield site


@pytest.fixture
def worker(site: Site, tmp_path: Path) -> Iterator[Worker]:
    with site.worker(tmp_path / "train.log") as worker:
        yield worker


def wait_for(site: Site, job_id: str, *states: str) -> None:
    """Wait, and meanwhile sweep as the scheduler of a stack would."""

    def there() -> bool:
        site.sweep()
        return site.job(job_id).state in states

    until(there, PATIENCE)


def ended(site: Site, job_id: str) -> str:
    wait_for(site, job_id, PROMOTED, REFUSED, FAILED, CANCELLED)
    job = site.job(job_id)
    return f"{job.state}: {job.reason}"


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        ({"epochs": 0}, "epochs must be a number from 1 to 500, not 0"),
        ({"rate": float("nan")}, "rate must be a number"),
        ({"speed": 3}, "unknown: speed"),
        ({"base": "20200101T000000Z-aaaaaaaaaaaa"}, "base 20200101T000000Z-aaaaaaaaaaaa: .* holds no complete model"),
        ({"base": "../../etc"}, "is not the name of a model version"),
        ({"classes": ["stripes", "stripes"]}, "'stripes' twice"),
        ({"classes": ["stripes", "knee ap"]}, "'knee ap' cannot be a class"),
        ({"classes": ["stripes", "knee_ap"]}, r"not among the classes: disc \(90\)"),
        ({"classes": ["stripes", "disc", "cone"]}, r"fewer than 5 images to learn from: cone \(0\)"),
        ({"minimum": 91}, "fewer than 91 images to learn from: stripes"),
        ({"instances": ["0" * 8 + "-" + "-".join(["0" * 8] * 4)]}, "1 instance cannot be used: .* no such"),
    ],
)
def test_a_job_that_cannot_be_done_is_refused_at_once(site: Site, request_: dict[str, object], reason: str) -> None:
    with pytest.raises(InvalidRequest, match=reason):
        site.submit(**request_)


def test_a_job_without_truths_or_with_those_of_one_patient_is_refused_at_once(site: Site) -> None:
    with pytest.raises(InvalidRequest, match="there is nothing to learn from"):
        check_labels([], CLASSES, 1, {})
    with pytest.raises(InvalidRequest, match=r"all images with a truth \(1\) are of one patient"):
        site.submit(instances=list(site.instances)[:1], minimum=1)


def test_the_command_reports_in_one_line_what_is_wrong_with_a_job(site: Site) -> None:
    result = site.msk("jobs", "submit", "--epochs", "0")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "Error: epochs must be a number from 1 to 500, not 0\n"


@dataclass(frozen=True)
class Watched:
    """A job that ran undisturbed, with the output of the commands that a person would use."""

    asked: Mapping[str, object]
    id: str
    served_before: Path
    watching: subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def watched(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Watched:
    """Submitted, done by a worker, and watched to its end."""
    asked = {"base": "shipped", "epochs": 2, "views": 100, "rate": 0.003, "rehearsal": 0}
    options = [text for name, value in asked.items() for text in (f"--{name}", str(value))]
    options += ["--classes", ",".join(CLASSES)]
    before = site.registry.promoted()
    with site.worker(tmp_path_factory.mktemp("watched") / "train.log"):
        job_id = site.msk("jobs", "submit", "--author", "ann", *options).stdout.strip()
        watching = site.msk("jobs", "watch", job_id)
        until(lambda: left_of(site, job_id) == {"manifest.json", "plan.json"}, 10)
    return Watched(asked | {"classes": CLASSES}, job_id, before, watching)


def left_of(site: Site, job_id: str) -> set[str]:
    """Names of the files that are kept of it."""
    assert site.registry.root is not None
    return {path.name for path in (site.registry.root / "jobs" / job_id).rglob("*") if path.is_file()}


def test_a_submitted_job_is_watched_to_its_promotion(site: Site, watched: Watched) -> None:
    assert watched.watching.returncode == 0, watched.watching.stderr
    assert "epoch 8 of 8" in watched.watching.stderr
    shown = json.loads(site.msk("jobs", "show", "--json", watched.id).stdout)
    assert (shown["state"], shown["author"], shown["epoch"], shown["epochs"]) == (PROMOTED, "ann", 8, 8)
    assert site.registry.promoted() != watched.served_before
    assert site.registry.promoted().name == shown["version"]
    assert watched.id in site.msk("jobs", "list").stdout
    late = site.msk("jobs", "cancel", watched.id)
    assert (late.returncode, f"job {watched.id} is promoted" in late.stderr) == (1, True)


def test_a_job_whose_worker_is_killed_three_times_ends_like_one_that_ran_undisturbed(
    site: Site, watched: Watched, tmp_path: Path
) -> None:
    with site.worker(tmp_path / "killed.log") as worker:
        job_id = site.submit(**watched.asked)
        for epoch in (1, 3, 6):  # in three of the four runs
            wait_until_epoch(site, job_id, epoch)
            (child,) = worker.children
            worker.kill()
            until(lambda child=child: not running(child))
            if epoch > 1:  # once is enough to see that the lease runs out by itself
                lapse(site, job_id)
            worker.start()
        assert ended(site, job_id).startswith((PROMOTED, REFUSED))

    job = site.job(job_id)
    epochs = [text for _, text in job.log if text.startswith("epoch")]
    assert len(epochs) <= 8 + 3  # each kill costs the epoch that it hit, at most
    assert len([text for _, text in job.log if text == "begun again"]) == 3
    undisturbed = site.job(watched.id)
    ended_as, expected = (logits_of(site.registry, str(one.version)) for one in (job, undisturbed))
    # Weights are kept in half precision.
    np.testing.assert_allclose(ended_as, expected, atol=0.02)


def wait_until_epoch(site: Site, job_id: str, epoch: int) -> None:
    def there() -> bool:
        site.sweep()
        job = site.job(job_id)
        assert not job.ended
        return job.epoch >= epoch

    until(there, PATIENCE)


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.usefixtures("worker")
def test_a_version_learned_from_shuffled_labels_is_refused_and_the_reason_is_kept(site: Site, watched: Watched) -> None:
    good = str(site.job(watched.id).version)
    site.registry.promote(good)
    learned, kinds = list(site.instances), list(site.instances.values())
    shuffled = np.random.default_rng(1).permutation(kinds).tolist()
    say(site, learned, shuffled)

    job_id = site.submit(**watched.asked)
    said = ended(site, job_id)

    say(site, learned, kinds)
    version = str(site.job(job_id).version)
    verdict = read_manifest(site.registry.find(version))["gate"]
    assert said == f"{REFUSED}: {Verdict.from_json(verdict).sentence}. All figures: msk models show {version}"
    assert "; " not in said
    assert site.registry.promoted().name == good
    shown = site.msk("models", "show", version).stdout
    assert "the gate refused it" in shown
    assert [reason for reason in (*verdict["reasons"], *verdict["limits"]) if reason not in shown] == []


def say(site: Site, instances: Sequence[str], kinds: Sequence[str]) -> None:
    for instance_id, kind in zip(instances, kinds, strict=True):
        set_truth(site.orthanc, instance_id, kind, "tester", CLASSES)


@pytest.mark.usefixtures("worker")
def test_a_version_that_passed_the_gate_awaits_approval_if_that_was_requested(site: Site, watched: Watched) -> None:
    good = str(site.job(watched.id).version)
    site.registry.promote(good)
    same = [f"--{name}={watched.asked[name]}" for name in ("epochs", "views", "rate", "rehearsal")]

    job_id = site.msk("jobs", "submit", "--author", "ann", "--approve", *same).stdout.strip()
    waiting = site.msk("jobs", "watch", job_id)

    version = json.loads(site.msk("jobs", "show", "--json", job_id).stdout)["version"]
    assert (waiting.returncode, site.job(job_id).state) == (0, AWAITING_APPROVAL), waiting.stderr
    assert site.registry.promoted().name == good
    assert site.msk("models", "promote", version).returncode == 0
    assert (site.job(job_id).state, site.registry.promoted().name) == (PROMOTED, version)


def test_a_job_that_waits_is_cancelled_at_once_and_one_that_runs_soon(site: Site, worker: Worker) -> None:
    runs = site.submit(epochs=400)
    wait_for(site, runs, RUNNING)
    waits = site.submit()
    assert site.job(waits).state == QUEUED

    assert f"{waits} is cancelled" in site.msk("jobs", "cancel", waits).stdout
    wait_until_epoch(site, runs, 1)
    assert "is cancelling" in site.msk("jobs", "cancel", runs).stdout

    until(lambda: site.job(runs).state == CANCELLED, 10)
    until(lambda: not worker.children, 10)
    watched = site.msk("jobs", "watch", runs)
    assert (watched.returncode, "cancelled" in watched.stderr) == (1, True)


def test_a_job_that_renders_phantoms_is_cancelled_soon_and_leaves_no_renderer(site: Site, worker: Worker) -> None:
    pytest.importorskip("gvxrPython3")
    job_id = site.submit(rehearsal=50)
    until(lambda: site.job(job_id).phase == "rehearsal", PATIENCE)

    site.store.cancel(job_id, "tester")

    until(lambda: site.job(job_id).state == CANCELLED, 10)
    until(lambda: not worker.children, 10)
    assert not list((site.registry.root / "rehearsal").rglob("*.npz"))


def test_a_job_fails_with_the_reason_if_phantoms_cannot_be_rendered(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mujoco.py").write_text("raise ImportError('not here')\n")
    for name, value in (site.environment | {"PYTHONPATH": str(tmp_path)}).items():
        monkeypatch.setenv(name, value)
    job_id = site.submit(rehearsal=10)

    assert do_next(site.store, site.registry.root) == job_id

    assert (site.job(job_id).state, site.job(job_id).reason.count("pip install 'msk-labeller[phantoms]'")) == (
        FAILED,
        1,
    )


def test_a_stopped_worker_leaves_its_job_to_the_next_and_no_job_is_lost_with_the_broker(
    site: Site, tmp_path: Path
) -> None:
    job_id = site.submit(epochs=2)
    with site.worker(tmp_path / "first.log") as first:
        wait_until_epoch(site, job_id, 1)
        first.stop()
    assert site.job(job_id).state == QUEUED
    assert "the worker was stopped" in site.job(job_id).log[-1][1]

    with site.worker(tmp_path / "next.log"):
        wait_for(site, job_id, RUNNING)
        site.broker.kill()
        site.broker.start()
        assert ended(site, job_id).startswith((PROMOTED, REFUSED))
    assert len([text for _, text in site.job(job_id).log if text.startswith("epoch 1 ")]) == 1


def test_two_processes_train_one_model_together(site: Site, tmp_path: Path) -> None:
    with site.worker(tmp_path / "two.log", MSK_TRAIN_PROCESSES="2") as worker:
        job_id = site.submit(epochs=2)
        wait_until_epoch(site, job_id, 1)
        (agent,) = worker.children
        together = [int(pid) for pid in Path(f"/proc/{agent}/task/{agent}/children").read_text().split()]
        assert len(together) == 2
        assert ended(site, job_id).startswith((PROMOTED, REFUSED))
        until(lambda: not any(running(pid) for pid in together), 10)
    manifest = json.loads((site.registry.find(str(site.job(job_id).version)) / "model.json").read_text())
    assert manifest["job"] == job_id


def test_of_many_workers_one_gets_a_job_and_one_that_has_lost_its_lease_changes_nothing(site: Site) -> None:
    job_id = site.store.submit(JobRequest(rehearsal=0), "tester")
    claims: list[object] = []
    threads = [threading.Thread(target=lambda n=n: claims.append(site.store.claim(f"run {n}"))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (owner,) = (f"run {n}" for n in range(8) if site.store.beat(job_id, f"run {n}"))
    assert [claim for claim in claims if claim] == [(job_id, 1)]

    lapse(site, job_id)

    assert site.store.claim("late") == (job_id, 2)
    assert site.store.beat(job_id, owner) is None
    assert not site.store.note(job_id, owner, {"epoch": 9}, "epoch 9")
    assert not site.store.commit(job_id, owner)
    assert not site.store.finish(job_id, owner, PROMOTED)
    assert not site.store.release(job_id, owner, delay=0, reason="", blameless=True)
    assert site.store.commit(job_id, "late")
    assert site.store.cancel(job_id, "tester") == RUNNING  # too late
    assert site.store.finish(job_id, "late", REFUSED, "worse")
    assert (site.job(job_id).state, site.job(job_id).epoch) == (REFUSED, 0)


def test_a_job_whose_worker_died_is_cancelled_at_once_and_one_that_kills_it_each_time_is_given_up(site: Site) -> None:
    dead = site.store.submit(JobRequest(rehearsal=0), "tester")
    assert site.store.claim("gone") == (dead, 1)
    lapse(site, dead)
    assert site.store.cancel(dead, "tester") == CANCELLED

    dying = site.store.submit(JobRequest(rehearsal=0), "tester")
    assert site.store.claim("gone") == (dying, 1)
    assert site.store.cancel(dying, "tester") == CANCELLING
    lapse(site, dying)
    assert site.store.cancel(dying, "tester") == CANCELLED

    registering = site.store.submit(JobRequest(rehearsal=0), "tester")
    assert site.store.claim("gone") == (registering, 1)
    assert site.store.commit(registering, "gone")
    lapse(site, registering)
    assert site.store.cancel(registering, "tester") == RUNNING  # what it made may serve already
    assert site.store.claim("next") == (registering, 2)
    assert site.store.cancel(registering, "tester") == CANCELLING
    lapse(site, registering)
    assert site.store.cancel(registering, "tester") == CANCELLED

    deadly = site.store.submit(JobRequest(rehearsal=0), "tester")
    for _ in range(MAX_TRIES):
        assert site.store.claim("gone") is not None
        lapse(site, deadly)
    assert do_next(site.store, site.registry.root) == deadly
    assert (site.job(deadly).state, "died 5 times" in site.job(deadly).reason) == (FAILED, True)


def test_a_job_that_awaits_approval_is_promoted_with_its_version(site: Site) -> None:
    job_id = site.store.submit(JobRequest(approve=True, rehearsal=0), "tester")
    assert site.store.claim("run") == (job_id, 1)
    version = site.register_untrained(job=job_id)
    assert site.store.finish(job_id, "run", AWAITING_APPROVAL, "not worse", version)

    away = site.msk("models", "promote", version, MSK_BROKER_URL="redis://127.0.0.1:9/0")

    assert site.registry.promoted().name == version
    assert (away.returncode, f"the record of job {job_id} cannot be reached" in away.stderr) == (0, True)
    assert site.job(job_id).state == AWAITING_APPROVAL
    assert site.msk("models", "promote", version).stderr == ""
    assert (site.job(job_id).state, site.job(job_id).log[-1][1][:12]) == (PROMOTED, "promoted: by")
    assert site.msk("jobs", "cancel", job_id).returncode == 1
    site.registry.rollback()


def test_a_version_whose_job_was_cancelled_is_served_only_on_purpose(site: Site) -> None:
    job_id = site.store.submit(JobRequest(approve=True, rehearsal=0), "tester")
    assert site.store.claim("run") == (job_id, 1)
    version = site.register_untrained(job=job_id)
    assert site.store.finish(job_id, "run", AWAITING_APPROVAL, "not worse", version)
    assert site.store.cancel(job_id, "tester") == CANCELLED
    served = site.registry.promoted()

    refused = site.msk("models", "promote", version)

    assert (refused.returncode, f"job {job_id}, which made it, was cancelled" in refused.stderr) == (1, True)
    assert site.registry.promoted() == served
    assert site.msk("models", "promote", version, "--anyway").returncode == 0
    assert site.registry.promoted().name == version
    site.registry.rollback()


def test_an_approval_changes_nothing_for_a_job_that_awaits_none(site: Site) -> None:
    job_id = site.store.submit(JobRequest(rehearsal=0), "tester")
    site.store.approve(job_id, "tester")
    assert site.job(job_id).state == QUEUED
    site.store.cancel(job_id, "tester")
    site.store.approve(job_id, "tester")
    assert site.job(job_id).state == CANCELLED
    site.store.approve("unknown", "tester")
    assert site.store.find("unknown") is None


def lapse(site: Site, job_id: str) -> None:
    """Let the lease expire, as if the run had sent no heartbeat for long."""
    with redis.Redis.from_url(site.environment["MSK_BROKER_URL"]) as broker:
        broker.hset(f"msk:job:{job_id}", "lease", 0)
