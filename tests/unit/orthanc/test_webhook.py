"""The plugin script's queues, with a stand-in for what only Orthanc's own process has."""

from collections.abc import Iterator
from types import ModuleType, SimpleNamespace

import pytest

from tests.plugin_script import OrthancException, load


class Database:
    """The durable queue of Orthanc 1.12.10; reservations end when a test says so."""

    def __init__(self) -> None:
        self.waiting: list[tuple[bytes, int]] = []
        self.reserved: dict[int, bytes] = {}
        self.full = False
        self._last = 0

    def enqueue(self, _queue: str, value: bytes) -> None:
        if self.full:
            raise OrthancException("the disk is full")
        self._last += 1
        self.waiting.append((value, self._last))

    def reserve(self, _queue: str, _origin: str, _seconds: int) -> tuple[bytes | None, int | None]:
        if not self.waiting:
            return None, None
        value, receipt = self.waiting.pop(0)
        self.reserved[receipt] = value
        return value, receipt

    def acknowledge(self, _queue: str, receipt: int) -> None:
        del self.reserved[receipt]


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
def durable(monkeypatch: pytest.MonkeyPatch, database: Database) -> Iterator[ModuleType]:
    functions = {
        "EnqueueValue": database.enqueue,
        "ReserveQueueValue": database.reserve,
        "AcknowledgeQueueValue": database.acknowledge,
    }
    yield load(monkeypatch, **functions)[0]


def test_in_memory_the_oldest_event_gives_way_and_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    script, logged = load(monkeypatch)
    monkeypatch.setattr(script, "MEMORY_LIMIT", 3)
    outbox = script.Outbox()
    for number in range(8):
        outbox.put(f"instance-{number}")
    assert [outbox.take() for _ in range(4)] == [
        ("instance-5", None), ("instance-6", None), ("instance-7", None), None
    ]  # fmt: skip
    assert [line for line in logged if "dropped" in line] == [
        f"webhook.dropped total={total} reason=queue-full" for total in (1, 2, 4)
    ]


def test_an_event_given_back_to_the_memory_queue_waits_behind_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    outbox = load(monkeypatch)[0].Outbox()
    outbox.put("first")
    outbox.put("second")
    outbox.give_back(*outbox.take())
    assert outbox.take() == ("second", None)
    assert outbox.take() == ("first", None)


def test_a_durable_event_stays_reserved_until_it_is_delivered(durable: ModuleType, database: Database) -> None:
    outbox = durable.Outbox()
    outbox.put("instance")
    ident, receipt = outbox.take()
    assert ident == "instance"
    assert outbox.take() is None
    outbox.give_back(ident, receipt)
    assert database.reserved == {receipt: b"instance"}
    outbox.done(receipt)
    assert database.reserved == {}


def test_a_database_that_refuses_an_event_fails_no_store(durable: ModuleType, database: Database) -> None:
    outbox = durable.Outbox()
    database.full = True
    outbox.put("instance")
    assert outbox.take() == ("instance", None)
    outbox.done(None)


def test_an_ae_title_that_is_no_text_holds_up_no_store(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable() -> str:
        return b"\xff".decode()

    script = load(monkeypatch)[0]
    assert script.sender_of(SimpleNamespace(GetInstanceRemoteAet=unreadable)) == ""
    assert script.sender_of(SimpleNamespace(GetInstanceRemoteAet=lambda: "CR 1")) == "CR 1"


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_not base64 at all, but long enough"])
def test_an_invalid_secret_is_refused(monkeypatch: pytest.MonkeyPatch, secret: str) -> None:
    script, _ = load(monkeypatch)
    with pytest.raises(ValueError, match="MSK_WEBHOOK_SECRET"):
        script.decode_secret(secret)


def test_an_event_holds_terms_of_the_standard_and_no_other_text_of_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    webhook, _ = load(monkeypatch)

    assert webhook.known("1.2.840.10008.5.1.4.1.1.1.1", webhook.SOP_CLASSES) == "1.2.840.10008.5.1.4.1.1.1.1"
    assert webhook.known("1.2.840.10008.1.2.4.90", webhook.TRANSFER_SYNTAXES) == "1.2.840.10008.1.2.4.90"
    assert webhook.known("DX", webhook.MODALITIES) == "DX"
    assert webhook.known("", webhook.MODALITIES) == ""
    for text, terms in (
        ("1.2.840.10008.5.1.4.1.1.19700101", webhook.SOP_CLASSES),
        ("1.2.840.10008.1.2.4.19700101", webhook.TRANSFER_SYNTAXES),
        ("DOE^JOHN", webhook.MODALITIES),
    ):
        assert webhook.known(text, terms) == "other"
