"""Fixtures that several tests share."""

import os
import signal
from collections.abc import Iterator

import pytest

from tests.local_stack import LocalStack
from tests.proxies import DEAD_PROXY, VARIABLES


@pytest.fixture(scope="session", autouse=True)
def heed_interrupts() -> None:
    """React to Ctrl-C even in the background, where shells ignore it: the tests' processes inherit this setting."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def reach_servers_directly() -> None:
    """All servers of the tests are on this machine; where a proxy matters, a test names one."""
    for name in VARIABLES:
        os.environ.pop(name, None)


@pytest.fixture(scope="session")
def shared_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """One whole local stack, shared by all tests that leave it intact; its environment names a dead proxy."""
    with LocalStack.running(tmp_path_factory.mktemp("stack"), variables=DEAD_PROXY) as stack:
        yield stack
