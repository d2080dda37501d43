"""`msk up`, `msk down`, and what remains afterwards."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import requests

from mskmodel.dicom.writing import Header, write_dx
from tests.local_stack import LocalStack
from tests.proxies import DEAD_PROXY
from tests.waiting import until
from workers.ledger import Ledger
from workers.pacs.send import Target, send
from workers.supervision.leftovers import MARKER

pytestmark = pytest.mark.stack

NAMES = {"orthanc", "broker", "gateway", "label-worker", "train-worker", "beat", "records"}


def radiograph(identity: str) -> bytes:
    """A DICOM file of noise that is a radiograph by its header."""
    pixels = np.random.default_rng(1).integers(0, 4096, (200, 160), dtype=np.uint16)
    return write_dx(pixels, header=Header(identity=identity), bits=12)


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}/exe").exists()  # which is gone before its parent has taken note of its end


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).status_code == 200
    except requests.RequestException:
        return False


def is_private(file: Path) -> bool:
    return stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_state_file_says_everything_and_only_to_its_owner(shared_stack: LocalStack) -> None:
    state = shared_stack.state
    assert {process["name"] for process in state["processes"]} == NAMES
    assert all(Path(f"/proc/{process['pid']}").exists() for process in state["processes"])
    assert state["data"] == str(shared_stack.data)
    assert is_private(shared_stack.state_file)
    assert is_private(shared_stack.data / "state.json")
    assert is_private(shared_stack.data / "secrets.json")
    assert is_private(shared_stack.data / "broker" / "valkey.conf")
    assert stat.S_IMODE(shared_stack.data.stat().st_mode) == 0o700
    assert json.loads((shared_stack.data / "state.json").read_text()) == state


def test_the_addresses_answer_and_only_with_the_password(shared_stack: LocalStack) -> None:
    orthanc = shared_stack.state["orthanc"]
    assert requests.get(f"{orthanc['url']}/system", timeout=10).status_code == 401
    with_password = requests.get(f"{orthanc['url']}/system", auth=(orthanc["user"], orthanc["password"]), timeout=10)
    assert with_password.json()["DicomPort"] == orthanc["dicom_port"]
    assert requests.get(f"{shared_stack.state['gateway']['url']}/readyz", timeout=10).status_code == 200
    with socket.create_connection(("127.0.0.1", orthanc["dicom_port"]), timeout=10):
        pass


def test_no_command_line_and_no_log_carries_a_secret(shared_stack: LocalStack) -> None:
    secrets = json.loads((shared_stack.data / "secrets.json").read_text()).values()
    shown = "".join(Path(f"/proc/{pid}/cmdline").read_text() for pid in shared_stack.processes)
    shown += "".join(log.read_text(errors="replace") for log in (shared_stack.data / "logs").iterdir())
    shown += shared_stack.msk("status", "--data", str(shared_stack.data)).stdout
    shown += shared_stack.msk("status", "--data", str(shared_stack.data), "--json").stdout
    assert not [secret for secret in secrets if secret in shown]


def test_a_stored_radiograph_gets_an_outcome(shared_stack: LocalStack) -> None:
    instance_id = shared_stack.orthanc.upload(radiograph("stack-1"))
    until(lambda: shared_stack.outcome(instance_id), seconds=60)
    outcome = shared_stack.outcome(instance_id)
    assert outcome is not None
    assert outcome["status"] in {"labelled", "needs-review"}


def test_a_proxy_that_leads_nowhere_keeps_no_part_from_another(shared_stack: LocalStack) -> None:
    for pid in shared_stack.processes:
        variables = Path(f"/proc/{pid}/environ").read_text().split("\0")
        assert {f"{name}={value}" for name, value in DEAD_PROXY.items()} <= set(variables)

    instance_id = shared_stack.orthanc.upload(radiograph("proxied"))
    until(lambda: shared_stack.outcome(instance_id), seconds=60)

    assert json.loads(shared_stack.msk("audit", "--json").stdout)["unaccounted"] == 0


def test_no_store_waits_for_a_delayed_tcp_acknowledgement(shared_stack: LocalStack, tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / f"{number}.dcm").write_bytes(radiograph(f"acknowledged-{number}"))
    server = shared_stack.state["orthanc"]
    target = Target(server["dicom_host"], server["dicom_port"], server["dicom_aet"], "MODALITY")

    seconds = sorted(np.diff([sent.at for sent in send([tmp_path], target)]))

    # Linux delays an acknowledgement by 40 ms, except at the start of a connection. A busy machine may take longer.
    assert len(seconds) == 29
    assert seconds[9] < 0.04


def test_status_shows_the_addresses(shared_stack: LocalStack) -> None:
    shown = shared_stack.msk("status", "--data", str(shared_stack.data)).stdout
    assert shared_stack.state["orthanc"]["url"] in shown
    assert str(shared_stack.supervisor) == (shared_stack.data / "lock").read_text().strip()


def test_the_doctor_looks_at_the_servers_that_the_environment_names_and_at_those_of_the_stack(
    shared_stack: LocalStack,
) -> None:
    told = shared_stack.msk("doctor", "--json", "--data", str(shared_stack.data), check=False).stdout
    found = {finding["name"]: finding for finding in json.loads(told)}
    for name in ("MSK_ORTHANC_URL", "the local stack"):
        assert found[f"Orthanc of {name}"]["status"] == "ok"
    assert found["Broker of the local stack"]["status"] == "ok"
    assert found["Orthanc's webhook"]["detail"] == "on"
    assert found["Broker's eviction"]["detail"] == "noeviction"


def test_commands_find_the_stack_by_its_state_file_or_because_it_runs_here(
    shared_stack: LocalStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "one.dcm").write_bytes(radiograph("found"))
    for name in ("MSK_ORTHANC_URL", "MSK_ORTHANC_USER", "MSK_ORTHANC_PASSWORD", "MSK_BROKER_URL"):
        monkeypatch.delenv(name, raising=False)
    msk = (sys.executable, "-m", "workers.cli")
    subprocess.run((*msk, "audit", "--state", str(shared_stack.state_file)), check=True, capture_output=True)
    monkeypatch.setenv("MSK_DATA", str(shared_stack.data))
    subprocess.run((*msk, "send", str(tmp_path)), check=True, capture_output=True)
    report = subprocess.run((*msk, "audit", "--json"), check=True, capture_output=True).stdout
    assert json.loads(report)["unaccounted"] == 0
    monkeypatch.setenv("MSK_DATA", str(tmp_path / "nothing"))
    nowhere = subprocess.run((*msk, "audit"), capture_output=True, text=True, check=False)
    assert nowhere.returncode == 1
    assert "msk up" in nowhere.stderr


def test_the_audit_finds_what_got_lost_and_enqueues_it_when_asked(shared_stack: LocalStack) -> None:
    lost = shared_stack.orthanc.upload(radiograph("lost"))
    until(lambda: shared_stack.outcome(lost), seconds=60)
    until(lambda: json.loads(shared_stack.msk("audit", "--json").stdout)["queued"] == 0, seconds=60)
    sweep = Ledger(shared_stack.state["broker"]["url"]).exclusive("sweep", 60)
    until(sweep.acquire, seconds=60)  # else a sweep would find it first
    shared_stack.orthanc.delete_metadata(lost, "MskPrediction")
    found = shared_stack.msk("audit", "--json", check=False)
    assert found.returncode == 1
    assert json.loads(found.stdout)["unaccounted_ids"] == [lost]
    assert shared_stack.msk("audit", "--fix", check=False).returncode == 1
    sweep.release()
    until(lambda: shared_stack.outcome(lost), seconds=60)
    assert shared_stack.msk("audit").returncode == 0


def test_a_second_stack_on_the_same_data_is_refused(shared_stack: LocalStack) -> None:
    for arguments in ((), ("--detach",)):
        refused = shared_stack.msk("up", "--data", str(shared_stack.data), *arguments, check=False)
        assert refused.returncode == 1
        assert "a stack already runs on" in refused.stderr
        assert "msk down --data" in refused.stderr
    assert shared_stack.state_file.exists()


def test_a_process_that_dies_starts_again(shared_stack: LocalStack) -> None:
    before = shared_stack.pid("gateway")
    assert before is not None
    os.kill(before, signal.SIGKILL)
    until(lambda: shared_stack.pid("gateway") not in {before, None})
    until(lambda: answers(f"{shared_stack.state['gateway']['url']}/readyz"), seconds=60)
    said = (shared_stack.data / "logs" / "supervisor.log").read_text()
    assert re.search(r"gateway +\| was killed by SIGKILL; starts again in 1 s", said)


def test_a_second_start_finds_everything_and_has_the_same_addresses(shared_stack: LocalStack) -> None:
    first = shared_stack.state
    instance_id = shared_stack.orthanc.upload(radiograph("stack-2"))
    until(lambda: shared_stack.outcome(instance_id), seconds=60)
    outcome = shared_stack.outcome(instance_id)

    shared_stack.down()
    assert shared_stack.processes == []
    assert not shared_stack.state_file.exists()
    assert not (shared_stack.data / "state.json").exists()

    shared_stack.up()
    assert shared_stack.outcome(instance_id) == outcome
    for part in ("orthanc", "gateway", "broker"):
        assert shared_stack.state[part] == first[part]


def test_a_killed_supervisor_leaves_nothing_in_the_way_of_the_next_start(shared_stack: LocalStack) -> None:
    instance_id = shared_stack.orthanc.upload(radiograph("stack-3"))
    supervisor, deaf = shared_stack.supervisor, shared_stack.pid("train-worker")
    assert deaf is not None
    os.kill(deaf, signal.SIGSTOP)  # it cannot react to SIGTERM
    os.kill(supervisor, signal.SIGKILL)
    until(lambda: not is_alive(supervisor))
    assert deaf in shared_stack.processes

    shared_stack.up()
    assert not is_alive(deaf)
    assert {process["name"] for process in shared_stack.state["processes"]} == NAMES
    until(lambda: shared_stack.outcome(instance_id), seconds=60)


def test_ctrl_c_ends_it_in_order_and_with_status_0(tmp_path: Path) -> None:
    stack = LocalStack(tmp_path)
    command = (sys.executable, "-m", "workers.cli", "up", "--data", str(stack.data), "--workers", "1")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        shown: list[str] = []
        for line in process.stdout:
            shown.append(line)
            if "/login?once=" in line:  # how whoever started it signs in: the last thing that is shown
                process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    assert "/login?once=" not in "".join(log.read_text(errors="replace") for log in (stack.data / "logs").iterdir())
    assert stack.processes == []
    assert not (stack.data / "state.json").exists()
    ended = [line.split()[0] for line in shown if re.search(r"\| ended after", line)]
    assert set(ended[:4]) == {"label-worker", "train-worker", "beat", "records"}
    assert ended[4:] == ["gateway", "orthanc", "broker"]


def test_a_signal_while_it_starts_ends_it_too(tmp_path: Path) -> None:
    stack = LocalStack(tmp_path)
    command = (sys.executable, "-m", "workers.cli", "up", "--data", str(stack.data))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if re.match(r"broker +\| ready", line):
                process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert stack.processes == []


def test_a_service_that_cannot_start_says_why(tmp_path: Path) -> None:
    """An index that is a folder keeps Orthanc from starting."""
    stack = LocalStack(tmp_path)
    (stack.data / "orthanc" / "index").mkdir(parents=True)
    failed = stack.msk("up", "--data", str(stack.data), check=False)
    assert failed.returncode == 1
    assert re.search(r"orthanc (ended with status|was killed by)", failed.stderr)
    assert str(stack.data / "logs" / "orthanc.log") in failed.stderr
    assert stack.processes == []


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    stack = LocalStack(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        for option in ("--orthanc-port", "--dicom-port", "--gateway-port", "--broker-port"):
            refused = stack.msk("up", "--data", str(stack.data), option, str(port), check=False)
            assert refused.returncode == 1
            assert f"port {port} ({option}) is taken" in refused.stderr


def test_down_ends_what_a_killed_supervisor_left_behind_and_nothing_else(tmp_path: Path) -> None:
    """A process of a stack is recognized by the data directory in its environment."""
    mine, other = tmp_path / "mine", tmp_path / "other"
    with (
        subprocess.Popen(("sleep", "600"), env={MARKER: str(mine), "PATH": os.environ["PATH"]}) as left,
        subprocess.Popen(("sleep", "600"), env={MARKER: str(other), "PATH": os.environ["PATH"]}) as foreign,
    ):
        LocalStack(tmp_path).msk("down", "--data", str(mine))
        assert left.wait(10) == -signal.SIGTERM
        assert foreign.poll() is None
        foreign.kill()
