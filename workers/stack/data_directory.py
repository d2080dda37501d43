"""The data directory: all that a local stack keeps, and the lock that reserves it for one stack."""

import contextlib
import fcntl
import json
import os
import secrets
import tempfile
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from workers.stack.errors import StackError

__all__ = ["DataDirectory", "Secrets", "default_data", "write_private"]


def default_data(name: str = "msk") -> Path:
    """Where a stack keeps its data by default: $MSK_DATA, or `name` in the user's data folder (XDG)."""
    if chosen := os.environ.get("MSK_DATA"):
        return Path(chosen)
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / name


def write_private(path: Path, content: Mapping[str, Any]) -> None:
    """Atomically write JSON that only the user may read (mode 0600)."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump(content, file, indent=2)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@dataclass(frozen=True)
class Secrets:
    """The passwords and keys that the parts of one stack share; made once, kept in `secrets.json`."""

    orthanc_password: str = field(repr=False, default_factory=lambda: secrets.token_urlsafe(18))
    broker_password: str = field(repr=False, default_factory=lambda: secrets.token_urlsafe(18))
    webhook_secret: str = field(
        repr=False, default_factory=lambda: f"whsec_{b64encode(secrets.token_bytes(32)).decode()}"
    )
    api_token: str = field(repr=False, default_factory=lambda: secrets.token_urlsafe(32))


@dataclass(frozen=True)
class DataDirectory:
    """One folder: Orthanc's storage, the broker's append-only file, models, records, logs, secrets, and the state."""

    path: Path

    @property
    def orthanc(self) -> Path:
        """Orthanc's index and files."""
        return self.path / "orthanc"

    @property
    def broker(self) -> Path:
        """The broker's append-only file and configuration."""
        return self.path / "broker"

    @property
    def models(self) -> Path:
        """The model registry."""
        return self.path / "models"

    @property
    def records(self) -> Path:
        """The records' database."""
        return self.path / "records"

    @property
    def no_plugin(self) -> Path:
        """An empty folder: in place of a plugin that is not installed, without which Orthanc 1.13 does not start."""
        return self.path / "no-plugin"

    @property
    def logs(self) -> Path:
        """One log a process, `NAME.log`."""
        return self.path / "logs"

    @property
    def secrets_file(self) -> Path:
        """Passwords and the webhook's secret, mode 0600."""
        return self.path / "secrets.json"

    @property
    def state_file(self) -> Path:
        """Addresses, credentials and process ids of the running stack, mode 0600; absent when none runs."""
        return self.path / "state.json"

    @property
    def ports_file(self) -> Path:
        """The ports of the last start, which the next one takes again if they are free."""
        return self.path / "ports.json"

    def prepare(self) -> None:
        """Make the folders, closed to other users, since Orthanc's storage holds patients' images."""
        try:
            str(self.path).encode()
        except UnicodeEncodeError:
            shown = os.fsencode(self.path).decode(errors="backslashreplace")
            raise StackError(f"cannot keep data in {shown}: its name is not UTF-8; give another: --data DIR") from None
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in (self.orthanc, self.broker, self.models, self.records, self.no_plugin, self.logs):
                folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise StackError(f"cannot keep data in {self.path}: {error.strerror}") from error

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the directory for this process; the kernel releases the lock when it ends, however it ends.

        Raises:
            StackError: another stack runs on this directory.
        """
        with (self.path / "lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                owner = lock.read().strip() or "unknown"
                raise StackError(
                    f"a stack already runs on {self.path} (process {owner}); end it with: msk down --data {self.path}"
                ) from None
            lock.truncate(0)
            lock.write(f"{os.getpid()}\n")
            lock.flush()
            yield

    def holder(self) -> int | None:
        """Process id of the supervisor that has locked the directory; None when nothing runs on it."""
        try:
            lock = (self.path / "lock").open("r+")
        except FileNotFoundError:
            return None
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(lock.read().strip() or 0) or None
        return None

    def secrets(self) -> Secrets:
        """The secrets, made at the first call; secrets that an older version did not have are added."""
        kept = self._read(self.secrets_file) if self.secrets_file.exists() else {}
        found = Secrets(**kept)
        if asdict(found) != kept:
            write_private(self.secrets_file, asdict(found))
        return found

    def state(self) -> dict[str, Any] | None:
        """The content of `state.json`; None when there is none."""
        return self._read(self.state_file) if self.state_file.exists() else None

    def last_ports(self) -> dict[str, int]:
        """The ports of the last start, by service; empty before the first."""
        return self._read(self.ports_file) if self.ports_file.exists() else {}

    def _read(self, file: Path) -> dict[str, Any]:
        try:
            content: dict[str, Any] = json.loads(file.read_bytes())
        except (OSError, ValueError) as error:
            raise StackError(f"cannot read {file}: {error}") from error
        return content
