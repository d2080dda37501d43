"""The plugin script inside a real Orthanc, posting to real receivers."""

import base64
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import requests
import standardwebhooks

from mskmodel.dicom.writing import Header, write_dx
from mskmodel.labels import BY_KEY
from tests.servers import ROOT, Hook, HookReceiver, Orthanc, free_port, new_webhook_secret, running_orthanc

SECRET = new_webhook_secret()


def radiograph(identity: str, value: int = 7) -> bytes:
    header = Header(identity=identity, label=BY_KEY["elbow_ap"], patient_name="Quincy^Jane", patient_id="MRN#4711")
    return write_dx(np.full((64, 48), value, np.uint16), header=header, bits=12)


def tells_of(*instances: str) -> Callable[[list[Hook]], bool]:
    return lambda hooks: {hook.instance for hook in hooks} >= set(instances)


@pytest.fixture(scope="module")
def receiver() -> Iterator[HookReceiver]:
    """One that accepts all, for the tests that share an Orthanc."""
    with HookReceiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory, receiver: HookReceiver) -> Iterator[Orthanc]:
    data = tmp_path_factory.mktemp("orthanc")
    with running_orthanc(data, webhook_url=receiver.url, webhook_secret=SECRET) as running:
        yield running


@pytest.fixture
def answers(receiver: HookReceiver) -> Iterator[Callable[[Callable[[Hook], int]], None]]:
    """Lets a test decide what the shared receiver answers."""
    accepts = receiver.answer

    def change(answer: Callable[[Hook], int]) -> None:
        receiver.answer = answer

    yield change
    receiver.answer = accepts


Answers = Callable[[Callable[[Hook], int]], None]


def test_a_stored_instance_is_posted_with_a_valid_signature(orthanc: Orthanc, receiver: HookReceiver) -> None:
    instance = orthanc.upload(radiograph("signed"))
    hook = next(hook for hook in receiver.wait_for(tells_of(instance)) if hook.instance == instance)
    event = standardwebhooks.Webhook(SECRET).verify(hook.body, hook.headers)
    assert event["type"] == "instance.stored"
    assert event["data"].keys() == {
        "instance", "series", "study", "sop_class", "modality", "transfer_syntax", "old"
    }  # fmt: skip
    assert event["data"]["old"] is False
    assert event["data"]["sop_class"] == "1.2.840.10008.5.1.4.1.1.1.1"
    assert event["data"]["modality"] == "DX"
    assert event["data"]["transfer_syntax"] == "1.2.840.10008.1.2.1"
    assert event["timestamp"].endswith("Z")


def test_neither_the_webhook_nor_the_log_reveals_the_patient(orthanc: Orthanc, receiver: HookReceiver) -> None:
    instance = orthanc.upload(radiograph("patient"))
    hook = next(hook for hook in receiver.wait_for(tells_of(instance)) if hook.instance == instance)
    for text in (hook.body.decode(), json.dumps(hook.headers), orthanc.log_text()):
        assert "Quincy" not in text
        assert "MRN#4711" not in text


def test_the_secret_stays_out_of_the_log(orthanc: Orthanc) -> None:
    assert SECRET.removeprefix("whsec_") not in orthanc.log_text()
    assert "webhook.on" in orthanc.log_text()


def test_one_kept_alive_connection_carries_all_events(orthanc: Orthanc, receiver: HookReceiver) -> None:
    instances = [orthanc.upload(radiograph(f"alive-{number}")) for number in range(20)]
    hooks = receiver.wait_for(tells_of(*instances))
    assert len({hook.id for hook in hooks}) == len({hook.instance for hook in hooks})
    assert receiver.connections == 1


@pytest.mark.parametrize("status", [500, 503, 408, 429])
def test_a_temporary_failure_is_retried_under_the_same_id(
    orthanc: Orthanc, receiver: HookReceiver, answers: Answers, status: int
) -> None:
    tries: list[Hook] = []

    def fail_twice(hook: Hook) -> int:
        tries.append(hook)
        return status if len(tries) < 3 else 202

    answers(fail_twice)
    orthanc.upload(radiograph(f"status-{status}"))
    receiver.wait_for(lambda _: len(tries) == 3)
    assert len({hook.id for hook in tries}) == 1
    assert len({hook.body for hook in tries}) == 1
    for hook in tries:
        standardwebhooks.Webhook(SECRET).verify(hook.body, hook.headers)


@pytest.mark.parametrize("status", [301, 400, 401, 404])
def test_a_final_refusal_is_not_retried_and_blocks_no_other_event(
    orthanc: Orthanc, receiver: HookReceiver, answers: Answers, status: int
) -> None:
    statuses = iter([status])
    answers(lambda _: next(statuses, 202))
    refused = orthanc.upload(radiograph(f"refused-{status}"))
    later = orthanc.upload(radiograph(f"later-{status}"))
    hooks = receiver.wait_for(tells_of(refused, later))
    assert [hook.instance for hook in hooks].count(refused) == 1
    assert f"webhook.refused status={status} instance={refused}" in orthanc.log_text()


def test_a_repeated_store_has_the_same_id_and_another_instance_another(
    orthanc: Orthanc, receiver: HookReceiver
) -> None:
    first = orthanc.upload(radiograph("repeated"))
    orthanc.upload(radiograph("repeated"))
    other = orthanc.upload(radiograph("not repeated"))
    hooks = receiver.wait_for(tells_of(first, other))
    ids = {name: {hook.id for hook in hooks if hook.instance == name} for name in (first, other)}
    assert len(ids[first]) == len(ids[other]) == 1
    assert ids[first] != ids[other]


def test_a_receiver_that_is_down_gets_everything_when_it_returns(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/hooks/orthanc"
    with running_orthanc(tmp_path, webhook_url=url, webhook_secret=SECRET) as orthanc:
        instances = [orthanc.upload(radiograph(f"away-{number}")) for number in range(30)]
        with HookReceiver(port=port) as receiver:
            hooks = receiver.wait_for(tells_of(*instances))
        assert {hook.instance for hook in hooks} == set(instances)
        assert "webhook.failed reason=ConnectionRefusedError" in orthanc.log_text()
        assert "webhook.recovered" in orthanc.log_text()


def test_a_receiver_killed_between_and_during_answers_gets_everything(tmp_path: Path) -> None:
    """The sender's kept-alive connection breaks under it, at any moment."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/hooks/orthanc"
    told: set[str] = set()
    with running_orthanc(tmp_path, webhook_url=url, webhook_secret=SECRET) as orthanc:
        stored: set[str] = set()
        for round_ in range(3):
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.servers", str(port)], cwd=ROOT, stdout=subprocess.PIPE, text=True
            )
            assert process.stdout is not None
            # What the killed one did not acknowledge may come before the new one says that it is ready.
            while (line := process.stdout.readline()) != "ready\n":
                told.add(line.split()[1])
            new = {orthanc.upload(radiograph(f"killed-{round_}-{number}")) for number in range(10)}
            stored |= new
            # The last receiver lives until it has heard of all; the others die after the third line.
            for heard, line in enumerate(process.stdout, start=1):
                told.add(line.split()[1])
                if stored <= told or (round_ < 2 and heard == 3):
                    break
            process.send_signal(signal.SIGKILL)
            told |= {line.split()[1] for line in process.stdout.read().splitlines() if line.count("-") == 4}
            process.wait()
            process.stdout.close()
    assert told == stored


def test_orthanc_stops_cleanly_while_the_receiver_hangs(tmp_path: Path) -> None:
    release = threading.Event()

    def hang(_: Hook) -> int:
        release.wait()
        return 202

    with HookReceiver(hang) as receiver:
        orthanc = Orthanc(tmp_path, webhook_url=receiver.url, webhook_secret=SECRET)
        orthanc.start()
        with closing(orthanc):
            for number in range(5):
                orthanc.upload(radiograph(f"hang-{number}"))
            receiver.wait_for(lambda hooks: hooks)
            assert orthanc.stop(timeout=15) == 0
        release.set()
    assert "webhook.stopped" in orthanc.log_text()
    assert "Orthanc has stopped" in orthanc.log_text()


def test_a_receiver_with_another_secret_rejects_the_signature(
    orthanc: Orthanc, receiver: HookReceiver, answers: Answers
) -> None:
    verifier = standardwebhooks.Webhook(new_webhook_secret())

    def verify(hook: Hook) -> int:
        try:
            verifier.verify(hook.body, hook.headers)
        except standardwebhooks.WebhookVerificationError:
            return 401
        return 202

    answers(verify)
    instance = orthanc.upload(radiograph("another secret"))
    after = orthanc.upload(radiograph("after another secret"))
    receiver.wait_for(tells_of(instance, after))
    assert f"webhook.refused status=401 instance={instance}" in orthanc.log_text()


def test_a_deleted_instance_is_told_of_however_it_is_deleted(orthanc: Orthanc, receiver: HookReceiver) -> None:
    instances = [orthanc.upload(radiograph(f"deleted-{number}")) for number in range(3)]
    login = (orthanc.user, orthanc.password)
    requests.delete(f"{orthanc.url}/instances/{instances[0]}", auth=login, timeout=10).raise_for_status()
    patient = requests.get(f"{orthanc.url}/instances/{instances[1]}/patient", auth=login, timeout=10).json()["ID"]
    requests.delete(f"{orthanc.url}/patients/{patient}", auth=login, timeout=10).raise_for_status()

    def told(hooks: list[Hook]) -> dict[str, Hook]:
        return {hook.instance: hook for hook in hooks if json.loads(hook.body)["type"] == "instance.deleted"}

    gone = told(receiver.wait_for(lambda hooks: told(hooks).keys() >= set(instances)))
    assert len({gone[each].id for each in instances}) == 3
    for each in instances:
        event = standardwebhooks.Webhook(SECRET).verify(gone[each].body, gone[each].headers)
        assert event["data"] == {"instance": each} and event["timestamp"].endswith("Z")


@pytest.mark.parametrize(
    ("url", "secret", "reason"),
    [
        (None, SECRET, "MSK_WEBHOOK_URL and MSK_WEBHOOK_SECRET are not both set"),
        ("http://127.0.0.1:1/", None, "MSK_WEBHOOK_URL and MSK_WEBHOOK_SECRET are not both set"),
        ("gateway:8000", SECRET, "MSK_WEBHOOK_URL is not an http or https address"),
        ("http://127.0.0.1:1/", "whsec_" + base64.b64encode(b"short").decode(), "MSK_WEBHOOK_SECRET is not"),
    ],
    ids=["no address", "no secret", "no scheme", "short secret"],
)
def test_without_usable_settings_orthanc_stores_and_the_log_says_why(
    tmp_path: Path, url: str | None, secret: str | None, reason: str
) -> None:
    with running_orthanc(tmp_path, webhook_url=url, webhook_secret=secret) as orthanc:
        assert orthanc.upload(radiograph("no webhook"))
        assert f"webhook.off reason={reason}" in orthanc.log_text()
        orthanc.kill()  # faster than an orderly end


def test_orthanc_does_not_start_without_users(tmp_path: Path) -> None:
    orthanc = Orthanc(tmp_path, environment={"MSK_ORTHANC_USERS": ""})
    with pytest.raises(RuntimeError, match="does not follow the JSON syntax"):
        orthanc.start()
