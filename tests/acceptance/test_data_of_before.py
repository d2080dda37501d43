"""A data directory that an earlier version left behind, and how the stack of now takes it up.

The names in here are contract: whoever changes one in the code has to say here what becomes of data that has the old.
"""

import json
import re
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from redis import Redis

from mskmodel.data.pixel_cache import PixelCache
from mskmodel.data.snapshot import Snapshot
from mskmodel.registry import Registry
from tests.broker import valkey
from tests.local_stack import LocalStack
from tests.servers import free_port
from tests.waiting import until
from workers.jobs.request import JobRequest
from workers.jobs.training_data import Plan

pytestmark = pytest.mark.stack

SAMPLES = Path(__file__).parents[1] / "samples"
#: Instances that had no outcome when the power was cut.
OPEN = ("leased", "waiting", "backfill", "untold")
#: Of the one that a person called none of the classes, pixel by pixel: what they said goes to it too.
COPY = "untold"
#: What the version says that was served then, whatever it is shown.
SERVED_SAYS = "pelvis_ap"
#: What can become of the training jobs, which await approval.
ENDED_WELL = {"cancelled", "awaiting-approval", "refused"}
METADATA_IDS = {"MskLabel": 1100, "MskPrediction": 1101, "MskTruth": 1102}
#: Keys in the broker of what is to be done; the last two hold what a worker has taken and not acknowledged.
WORK = {"msk:entry:*", "msk:leased", "msk:owner:*", "msk:waiting:label", "msk:waiting:label.backfill"} | {
    "label", "label.backfill", "unacked", "unacked_index",
}  # fmt: skip
#: Keys of what stays.
RECORDS = {"msk:cursor", "msk:jobs", "msk:job:*", "msk:job:*:log"}
#: Training jobs that are to be done, and hints that there are.
TRAIN = {"msk:jobs:open", "train", "unacked.train", "unacked_index.train"}
#: Those of them that another Celery application uses too.
NEIGHBOURS = {"label", "unacked", "unacked_index"}


def unpack(folder: Path) -> Path:
    """The data directory of before, below the folder."""
    with tarfile.open(SAMPLES / "data-directory-0.1.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder / "data"


class TakenUp(LocalStack):
    """A stack of now on the data of before."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.recorded: dict[str, Any] = json.loads((SAMPLES / "data-directory-0.1.json").read_text())
        unpack(folder)
        self.secrets = json.loads((self.data / "secrets.json").read_text())
        self.keys_before = self._keys_on_disk(folder / "broker")
        self._move_in_a_neighbour()
        self.ports = self._move_to_free_ports()

    def _keys_on_disk(self, copy: Path) -> set[str]:
        shutil.copytree(self.data / "broker", copy)
        with valkey(copy) as url, Redis.from_url(url, decode_responses=True) as broker:
            return set(broker.scan_iter())

    def _move_in_a_neighbour(self) -> None:
        """Another Celery application on the same database, with a message in a queue and one that it works on."""
        message = json.dumps({"headers": {"task": "other.task"}})
        with valkey(self.data / "broker") as url, Redis.from_url(url) as broker:
            broker.rpush("label", message)
            broker.hset("unacked", "neighbour", json.dumps([message, "", "label"]))
            broker.zadd("unacked_index", {"neighbour": 2e9})

    def _move_to_free_ports(self) -> dict[str, int]:
        """Another stack may run on those of the recording."""
        file = self.data / "ports.json"
        ports = {service: free_port() for service in json.loads(file.read_text())}
        file.write_text(json.dumps(ports))
        return ports

    @property
    def broker(self) -> Redis:
        return Redis.from_url(self.state["broker"]["url"], decode_responses=True)

    def id(self, name: str) -> str:
        return str(self.recorded["instances"][name]["id"])

    def metadata_before(self, name: str) -> dict[str, str]:
        return dict(self.recorded["instances"][name]["metadata"])

    def settle(self) -> None:
        """Wait until the sweep has caught up and everything that was open has an outcome."""
        with self.broker as broker:
            until(lambda: int(broker.get("msk:cursor")) > self.recorded["cursor"], 60)
        until(lambda: all(self.outcome(self.id(name)) for name in OPEN), 60)

    def job(self, state_before: str) -> dict[str, Any]:
        """The job that was in that state, as the gateway tells of it now."""
        job_id = next(job["id"] for job in self.recorded["jobs"] if job["state"] == state_before)
        authorization = {"Authorization": f"Bearer {self.secrets['api_token']}"}
        answer = requests.get(f"{self.state['gateway']['url']}/api/jobs/{job_id}", headers=authorization, timeout=10)
        answer.raise_for_status()
        return dict(answer.json())

    def said_of_job(self, state_before: str) -> list[str]:
        return [line["text"] for line in self.job(state_before)["log"]]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TakenUp]:
    stack = TakenUp(tmp_path_factory.mktemp("before"))
    stack.up()
    try:
        yield stack
    finally:
        stack.down()


def pattern(key: str) -> str:
    """The key with a * in place of identifiers."""
    return re.sub(r"(?<=:)[0-9a-f]{8}[0-9a-f-]{4,}", "*", key)


def test_the_passwords_and_ports_of_before_are_used(stack: TakenUp) -> None:
    assert stack.state["orthanc"]["password"] == stack.secrets["orthanc_password"]
    assert stack.state["webhook_secret"] == stack.secrets["webhook_secret"]
    assert stack.state["api_token"] == stack.secrets["api_token"]
    assert set(stack.ports) == {"orthanc", "dicom", "gateway", "broker"}
    assert stack.state["orthanc"]["url"] == f"http://127.0.0.1:{stack.ports['orthanc']}"
    assert stack.state["orthanc"]["dicom_port"] == stack.ports["dicom"]
    assert stack.state["gateway"]["url"] == f"http://127.0.0.1:{stack.ports['gateway']}"
    broker = f"redis://:{stack.secrets['broker_password']}@127.0.0.1:{stack.ports['broker']}/0"
    assert stack.state["broker"]["url"] == broker


@pytest.mark.parametrize("name", OPEN)
def test_what_was_open_gets_its_outcome_without_any_command(stack: TakenUp, name: str) -> None:
    stack.settle()
    outcome = stack.outcome(stack.id(name))
    assert outcome is not None
    assert (outcome["status"], outcome["label"]) == ("labelled", SERVED_SAYS)
    assert outcome["model"] == stack.recorded["promotions"][-1]["version"], "from the registry of before"
    assert outcome["tries"] == (2 if name == "leased" else 1), "a worker was killed over the leased one"
    if name == COPY:
        until(lambda: "same pixels" in stack.orthanc.metadata(stack.id(name)).get("MskTruth", ""), 60)
        until(lambda: "MskLabel" not in stack.orthanc.metadata(stack.id(name)), 60)
    else:
        until(lambda: stack.orthanc.metadata(stack.id(name)).get("MskLabel") == SERVED_SAYS, 60)


def test_nothing_that_had_an_outcome_is_touched_but_pictures_of_truths_are_read_once(stack: TakenUp) -> None:
    """What people said goes with the picture, so that its pixels must be known: those of before had no hash of them."""
    stack.settle()
    for name in stack.recorded["instances"].keys() - set(OPEN):
        before = stack.metadata_before(name)
        assert before, name
        if "MskTruth" in before:
            until(lambda name=name: (stack.outcome(stack.id(name)) or {}).get("pixel_hash"))
            before.pop("MskPrediction")
            if name == "withdrawn":
                before.pop("MskLabel")  # that of the model counts again
        now = stack.orthanc.metadata(stack.id(name))
        assert {key: value for key, value in now.items() if key in before} == before, name


def test_the_audit_counts_all_of_it(stack: TakenUp) -> None:
    stack.settle()
    until(lambda: json.loads(stack.msk("audit", "--json").stdout)["queued"] == 0)
    audit = json.loads(stack.msk("audit", "--json").stdout)
    # One with a truth was left to a person; read again, it gets a label of the version of before.
    expected = {"labelled": 6 + len(OPEN), "needs-review": 1, "skipped": 1, "failed": 1, "queued": 0, "unaccounted": 0}
    assert {status: audit[status] for status in expected} == expected
    assert sum(expected.values()) == len(stack.recorded["instances"])


@pytest.mark.parametrize("name", ["confirmed", "corrected", "withdrawn", "none of the classes"])
def test_what_people_said_is_still_known_with_its_history(stack: TakenUp, name: str) -> None:
    shown = json.loads(stack.msk("truth", "show", stack.id(name)).stdout)
    assert shown == json.loads(stack.metadata_before(name)["MskTruth"])
    assert len(shown["history"]) == (1 if name in ("corrected", "withdrawn") else 0)


def test_metadata_has_the_names_and_numbers_that_sites_have_configured(stack: TakenUp) -> None:
    orthanc = stack.state["orthanc"]
    with requests.Session() as session:
        session.auth = (orthanc["user"], orthanc["password"])
        for name, number in METADATA_IDS.items():
            answer = session.get(f"{orthanc['url']}/instances/{stack.id('corrected')}/metadata/{number}", timeout=10)
            if name == "MskPrediction":
                assert answer.json()["status"] == "labelled"
            else:
                assert answer.text == stack.metadata_before("corrected")[name]


def test_the_registry_serves_what_it_served(stack: TakenUp) -> None:
    told = json.loads(stack.msk("models", "list", "--json").stdout)
    assert told["history"] == stack.recorded["promotions"]
    served = [version["version"] for version in told["versions"] if version["served"]]
    assert served == [stack.recorded["promotions"][-1]["version"]]
    assert not [version["version"] for version in told["versions"] if version["damaged"]]


def test_the_list_of_jobs_is_that_of_before(stack: TakenUp) -> None:
    kept = ("id", "author", "submitted", "request")
    before, now = stack.recorded["jobs"], json.loads(stack.msk("jobs", "list", "--json").stdout)
    assert [[job[name] for name in kept] for job in now] == [[job[name] for name in kept] for job in before]
    assert now[0] == before[0] | {"curve": [], "epochs": 0}, "it was cancelled long ago, and nobody kept these then"


def test_a_job_whose_worker_was_killed_is_begun_again_and_then_the_one_that_waited(stack: TakenUp) -> None:
    for state_before, last in (("running", "begun again"), ("queued", "begun")):
        until(lambda state=state_before, last=last: last in stack.said_of_job(state), 60)
        # To its end it would take minutes where others want the processors. Where nobody does, it has ended by now.
        stack.msk("jobs", "cancel", stack.job(state_before)["id"], check=False)
        until(lambda state=state_before: stack.job(state)["state"] in ENDED_WELL, 180)
    said = ["submitted by ann", "begun", "4 images, 1 of them held out", "begun again"]
    assert stack.said_of_job("running")[:4] == said
    assert stack.said_of_job("running").count(said[2]) == 1, "it learns from what was collected before"
    with stack.broker as broker:
        assert not broker.exists("msk:jobs:open")


def test_what_a_job_had_collected_can_be_read(tmp_path: Path) -> None:
    models = unpack(tmp_path) / "models"
    folder = next((models / "jobs").iterdir())
    plan = Plan.of(folder, Registry(models), JobRequest(base="not looked at again"))
    assert plan.base == (models / "promoted").read_text().strip()
    assert plan.classes == ("knee_ap", "knee_lateral")
    snapshot = Snapshot(folder / "snapshot")
    assert len(snapshot.pictures) == 4
    kept = PixelCache(models, snapshot.preprocessing)
    assert all(kept.find(row.md5) is not None for row in snapshot.rows)


def test_no_key_of_before_is_left_over_that_nobody_knows(stack: TakenUp) -> None:
    before = {key for key in stack.keys_before if not key.startswith("_kombu.")}
    assert {pattern(key) for key in before} == WORK | RECORDS | TRAIN
    work = [key for key in before if pattern(key) in (WORK | TRAIN) - NEIGHBOURS]
    with stack.broker as broker:
        until(lambda: not broker.exists(*work), 180)
        left = {pattern(key) for key in before & set(broker.scan_iter())}
    assert left == RECORDS | NEIGHBOURS


def test_another_application_finds_its_messages_where_they_were(stack: TakenUp) -> None:
    stack.settle()
    with stack.broker as broker:
        until(lambda: broker.llen("label") == broker.hlen("unacked") == broker.zcard("unacked_index") == 1)
        assert json.loads(broker.lindex("label", 0))["headers"]["task"] == "other.task"
        assert broker.hkeys("unacked") == broker.zrange("unacked_index", 0, -1) == ["neighbour"]
