"""The gateway as a process, in front of a real Valkey."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests import gateway_process
from tests.broker import valkey
from tests.deliveries import BODY, INSTANCE, SECRET, signed
from tests.servers import free_port
from workers.broker.queues import LABEL
from workers.ledger import Ledger


@contextmanager
def gateway(broker_url: str) -> Iterator[httpx.Client]:
    environment = {
        "MSK_ORTHANC_URL": "http://127.0.0.1:9",
        "MSK_ORTHANC_USER": "nobody",
        "MSK_ORTHANC_PASSWORD": "nothing",
        "MSK_BROKER_URL": broker_url,
        "MSK_WEBHOOK_SECRET": SECRET,
    }
    with gateway_process.gateway(environment) as client:
        yield client


@pytest.fixture
def broker_url(tmp_path: Path) -> Iterator[str]:
    with valkey(tmp_path / "valkey") as url:
        yield url


def test_a_signed_event_is_in_the_ledger_and_in_the_queue_when_it_is_answered(broker_url: str) -> None:
    with gateway(broker_url) as client:
        assert client.post("/hooks/orthanc", content=BODY, headers=signed()).status_code == 202
    ledger = Ledger(broker_url)
    assert ledger.holds([INSTANCE]) == {INSTANCE}
    assert ledger.messages(LABEL) == 1


def test_a_request_that_is_no_event_is_refused_and_leaves_no_trace(broker_url: str) -> None:
    malformed = json.dumps({"type": "instance.stored", "data": {"instance": "x"}}).encode()
    with gateway(broker_url) as client:
        assert client.post("/hooks/orthanc", content=BODY, headers=signed(b"other")).status_code == 401
        assert client.post("/hooks/orthanc", content=malformed, headers=signed(malformed)).status_code == 422
        assert client.post("/hooks/orthanc", content=b"x" * 1_000_000, headers=signed()).status_code == 413
        assert client.get("/readyz").json()["open"] == {"label": 0, "label.backfill": 0, "leased": 0}


def test_events_are_refused_while_the_broker_is_down_and_accepted_when_it_is_back(tmp_path: Path) -> None:
    port = free_port()
    with valkey(tmp_path / "valkey", port) as url, gateway(url) as client:
        assert client.get("/readyz").status_code == 200
    with gateway(f"redis://127.0.0.1:{port}/0") as client:
        assert client.get("/healthz").status_code == 200
        assert client.get("/readyz").status_code == 503
        refused = client.post("/hooks/orthanc", content=BODY, headers=signed())
        assert refused.status_code == 503
        assert refused.headers["retry-after"]
        with valkey(tmp_path / "valkey", port):
            assert client.post("/hooks/orthanc", content=BODY, headers=signed()).status_code == 202


def test_the_gateway_does_not_load_torch() -> None:
    script = "import sys, workers.gateway.app; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
