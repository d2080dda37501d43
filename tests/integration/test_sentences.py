"""What a broker says becomes one sentence: for errors, commands, the gateway's readiness and workers that give up."""

import os
import signal
import socketserver
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import redis
from click.testing import CliRunner, Result
from kombu.exceptions import OperationalError

from tests import gateway_process
from tests.broker import valkey
from tests.deliveries import BODY, INSTANCE, SECRET, signed
from tests.servers import free_port
from tests.waiting import until
from workers.broker.celery_app import publisher
from workers.broker.queues import LABEL
from workers.cli import main
from workers.jobs.request import JobRequest
from workers.jobs.store import JobStore
from workers.ledger import Ledger, enqueue
from workers.sentences import sentence_of
from workers.settings import KEY_PREFIX, Settings


@dataclass(frozen=True)
class Broker:
    """A Valkey that can be made to refuse what it is asked."""

    url: str

    @property
    def port(self) -> str:
        return self.url.rpartition(":")[2].removesuffix("/0")

    def tell(self, *command: str | int) -> object:
        with redis.Redis.from_url(self.url) as client:
            return client.execute_command(*command)

    def as_user(self, user: str, password: str = "secret-word") -> str:
        return f"redis://{user}:{password}@127.0.0.1:{self.port}/0"

    @contextmanager
    def read_only(self) -> Iterator[str]:
        self.tell("REPLICAOF", "127.0.0.1", "1")
        try:
            yield self.url
        finally:
            self.tell("REPLICAOF", "NO", "ONE")

    @contextmanager
    def configured(self, name: str, value: str, normally: str) -> Iterator[str]:
        self.tell("CONFIG", "SET", name, value)
        try:
            yield self.url
        finally:
            self.tell("CONFIG", "SET", name, normally)

    @contextmanager
    def user(self, *rules: str) -> Iterator[str]:
        self.tell("ACL", "SETUSER", "narrow", "reset", "on", ">secret-word", "&*", "+@all", *rules)
        try:
            yield self.as_user("narrow")
        finally:
            self.tell("ACL", "DELUSER", "narrow")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with valkey(tmp_path_factory.mktemp("sentences") / "valkey") as url:
        yield Broker(url)


#: How a broker is provoked, and what the sentence says.
PROVOKED: dict[str, tuple[Callable[[Broker], AbstractContextManager[str]], str]] = {
    "a replica": (lambda broker: broker.read_only(), "it is a read-only replica"),
    "memory full": (lambda broker: broker.configured("maxmemory", "1mb", "0"), "its memory is full"),
    "too few replicas": (
        lambda broker: broker.configured("min-replicas-to-write", "1", "0"),
        "too few of its replicas",
    ),
    "no script": (lambda broker: broker.user("~*", "-evalsha"), "does not let its user run evalsha"),
    "no command in a script": (lambda broker: broker.user("~*", "-hset"), "does not let its user run hset"),
    "no message": (lambda broker: broker.user("~*", "-lpush"), "does not let its user run lpush"),
    "no transaction": (lambda broker: broker.user("~*", "-multi"), "does not let its user run multi"),
    "no ledger": (lambda broker: broker.user(f"~{KEY_PREFIX}*"), "access a key"),
    "no queue": (lambda broker: broker.user("~msk:*"), "access a key"),
}


@pytest.mark.parametrize("name", PROVOKED)
def test_a_broker_that_refuses_an_instance_says_why_and_its_readiness_says_the_same(broker: Broker, name: str) -> None:
    provoke, reason = PROVOKED[name]
    with provoke(broker) as url:
        ledger = Ledger(url)
        with pytest.raises((redis.RedisError, OperationalError)) as refused:
            enqueue(_publisher(url), ledger, [_new_instance()], LABEL)
        with pytest.raises(redis.RedisError) as tried:
            ledger.try_to_accept(LABEL)
        sentences = [sentence_of(refused.value), sentence_of(tried.value)]
    assert all(sentence and reason in sentence and "secret" not in sentence for sentence in sentences), sentences


def test_trying_writes_nothing_and_succeeds_with_no_more_permissions_than_accepting(broker: Broker) -> None:
    with broker.user("~msk:*", f"~{KEY_PREFIX}*") as url:
        before = _keys(broker)
        Ledger(url).try_to_accept(LABEL)
        assert _keys(broker) == before
        enqueue(_publisher(url), Ledger(url), [_new_instance()], LABEL)


def test_a_trial_that_is_refused_leaves_its_connection_fit_for_use(broker: Broker) -> None:
    ledger = Ledger(broker.url)
    with broker.read_only(), pytest.raises(redis.RedisError):
        ledger.try_to_accept(LABEL)
    instance_id = _new_instance()
    assert ledger.open([instance_id], LABEL) == 1
    assert ledger.holds([instance_id]) == {instance_id}


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("redis://127.0.0.1:1/0", "nobody listens there"),
        ("redis://no.such.host.invalid/0", "its name is not known"),
        ("redis://127.0.0.1:{port}/99", "fewer databases"),
        ("redis://somebody:wrong@127.0.0.1:{port}/0", "refuses user or password"),
    ],
)
def test_a_broker_that_cannot_be_reached_has_a_sentence(broker: Broker, url: str, reason: str) -> None:
    with pytest.raises((redis.RedisError, OperationalError)) as failed:
        Ledger(url.format(port=broker.port)).depth()
    assert reason in (sentence_of(failed.value) or "")
    with pytest.raises((redis.RedisError, OperationalError)) as failed:
        _publisher(url.format(port=broker.port)).send_task("msk.nothing", queue="nothing")
    assert reason in (sentence_of(failed.value) or "")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "is no Redis or Valkey"),
        (b"-LOADING Valkey is loading the dataset in memory\r\n", "is loading its data"),
        (b"-MISCONF Errors writing to the AOF file: No space left on device\r\n", "its disk is full"),
        (b"-BUSY Valkey is busy running a script.\r\n", "is busy with a script"),
        (b"-MASTERDOWN Link with MASTER is down\r\n", "has lost its primary"),
        (b"-MOVED 3999 127.0.0.1:6381\r\n", "is part of a cluster"),
        (b"-NOAUTH Authentication required.\r\n", "asks for a password"),
        (b"-DENIED Valkey is running in protected mode\r\n", "protected mode"),
        (b"-ERR max number of clients reached\r\n", "as many clients as it takes"),
        (b"-UNBLOCKED force unblock from blocking operation\r\n", "has become a replica"),
        (b"", "the connection was broken off"),
    ],
)
def test_whatever_a_broker_answers_has_a_sentence(answer: bytes, reason: str) -> None:
    with _answering(answer) as port, pytest.raises(redis.RedisError) as failed:
        Ledger(f"redis://127.0.0.1:{port}/0").depth()
    assert reason in (sentence_of(failed.value) or "")


def test_commands_say_why_the_broker_refuses(broker: Broker) -> None:
    job = JobStore(broker.url).submit(JobRequest(), "tester")
    with broker.read_only():
        cancelled = _msk(broker.url, "jobs", "cancel", job)
    assert (cancelled.exit_code, cancelled.output.count("\n")) == (1, 1), cancelled.output
    assert cancelled.output.startswith("Error: the broker refuses writes: it is a read-only replica")
    for command in (("jobs", "list"), ("jobs", "show", job), ("jobs", "cancel", job)):
        away = _msk("redis://127.0.0.1:1/0", *command)
        assert (away.exit_code, away.output.count("\n")) == (1, 1), away.output
        assert away.output.startswith("Error: the broker does not answer: nobody listens there")


def test_a_job_whose_signs_of_life_cannot_arrive_is_not_called_dead(broker: Broker) -> None:
    store = JobStore(broker.url)
    store.submit(JobRequest(), "tester")
    claim = store.claim("worker")
    assert claim
    broker.tell("HSET", f"msk:job:{claim[0]}", "lease", 1)  # it has not been renewed for long
    assert "its worker has died" in _msk(broker.url, "jobs", "list").output
    with broker.read_only():
        shown = _msk(broker.url, "jobs", "list").output
    assert "no sign of life can arrive: the broker refuses writes" in shown
    assert "died" not in shown


def test_the_gateway_is_ready_only_while_events_can_be_accepted(broker: Broker, tmp_path: Path) -> None:
    log = tmp_path / "gateway.log"
    with broker.user("~*") as url, _gateway(url, log) as client:
        assert client.get("/readyz").status_code == 200
        for provoke, reason in (PROVOKED["a replica"], PROVOKED["memory full"]):
            with provoke(broker):
                ready = client.get("/readyz")
                body = BODY.replace(INSTANCE.encode(), _new_instance().encode())
                event = client.post("/hooks/orthanc", content=body, headers=signed(body))
            for answer in (ready, event):
                assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
                assert reason in answer.json()["detail"]
                assert broker.port not in answer.text
            assert client.get("/readyz").status_code == 200
        assert log.read_text().count("events-refused reason=the broker refuses writes") == 2
        assert "secret-word" not in log.read_text()


@pytest.mark.parametrize("options", [("--queues", "maintenance", "--beat"), ("--queues", "train")])
def test_a_worker_that_gives_up_ends_with_status_1_and_one_that_is_stopped_with_0(
    broker: Broker, tmp_path: Path, options: tuple[str, ...]
) -> None:
    broker.tell("FLUSHALL")  # a worker that gives up first finishes what it has begun
    log = tmp_path / "worker.log"
    with broker.user("~*") as url, _worker(url, log, *options) as worker:
        until(lambda: "ready." in log.read_text(), 60)
        with broker.read_only():
            assert worker.wait(60) == 1
    said = log.read_text()
    assert "Traceback" not in said
    assert "Unrecoverable error" in said
    assert "the worker gave up; its log says why" in said
    assert "secret-word" not in said

    with _worker(broker.url, tmp_path / "wide.log", *options) as worker:
        until(lambda: "ready." in (tmp_path / "wide.log").read_text(), 60)
        worker.terminate()
        assert worker.wait(60) == 0


def test_a_worker_whose_scheduler_has_died_gives_up(broker: Broker, tmp_path: Path) -> None:
    with _worker(broker.url, tmp_path / "beat.log", "--queues", "maintenance", "--beat") as worker:
        for child in _children(worker, tmp_path / "beat.log"):
            os.kill(child, signal.SIGKILL)
        assert worker.wait(60) == 1


def test_a_scheduler_ends_with_a_worker_that_is_killed(broker: Broker, tmp_path: Path) -> None:
    with _worker(broker.url, tmp_path / "beat.log", "--queues", "maintenance", "--beat") as worker:
        children = _children(worker, tmp_path / "beat.log")
        worker.kill()
        worker.wait(60)
    until(lambda: not any(_runs(child) for child in children), 10)


def _children(worker: "subprocess.Popen[bytes]", log: Path) -> list[int]:
    until(lambda: "ready." in log.read_text(), 60)
    children = Path(f"/proc/{worker.pid}/task/{worker.pid}/children")
    until(lambda: children.read_text().split())
    return [int(child) for child in children.read_text().split()]


def _runs(process: int) -> bool:
    """Whether the process exists, and is more than a record that its parent has not read yet."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _new_instance() -> str:
    digits = (uuid4().hex + uuid4().hex)[:40]
    return "-".join(digits[start : start + 8] for start in range(0, 40, 8))


def _environment(url: str) -> dict[str, str]:
    return {
        "MSK_ORTHANC_URL": "http://127.0.0.1:9",
        "MSK_ORTHANC_USER": "nobody",
        "MSK_ORTHANC_PASSWORD": "nothing",
        "MSK_BROKER_URL": url,
    }


def _publisher(url: str) -> Any:
    return publisher(Settings.from_environment(_environment(url)))


def _msk(url: str, *arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, env=_environment(url))


def _keys(broker: Broker) -> set[bytes]:
    with redis.Redis.from_url(broker.url) as client:
        return set(client.scan_iter())


@contextmanager
def _answering(answer: bytes) -> Iterator[int]:
    """A server that answers whatever it is sent with these bytes, and then closes the connection."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(4096)
            self.request.sendall(answer)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield int(server.server_address[1])
        server.shutdown()
        thread.join()


@contextmanager
def _gateway(url: str, log: Path) -> Iterator[httpx.Client]:
    with log.open("wb") as output:
        own = _environment(url) | {"MSK_WEBHOOK_SECRET": SECRET}
        with gateway_process.gateway(own, log=output) as client:
            yield client


@contextmanager
def _worker(url: str, log: Path, *options: str) -> Iterator["subprocess.Popen[bytes]"]:
    command = (sys.executable, "-m", "workers.cli", "worker", "--name", f"test-{free_port()}", *options)
    with (
        log.open("wb") as output,
        subprocess.Popen(command, env=os.environ | _environment(url), stdout=output, stderr=output) as process,
    ):
        try:
            yield process
        finally:
            process.kill()
