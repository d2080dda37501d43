"""A real PostgreSQL for tests: Debian's, on a free port, its data in a folder that goes with it."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers import free_port

#: Who runs it where the tests run as root, which PostgreSQL refuses to be; Debian's package makes that user.
USER = "postgres"


def _program(name: str) -> str:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    if not found:
        raise FileNotFoundError("PostgreSQL is not installed: apt-get install postgresql")
    return str(found[-1])


class PostgreSql:
    """A server with one database; `url` is its address. It can be ended and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"postgresql://msk:secret@127.0.0.1:{self.port}/records"
        self._as: tuple[str, ...] = ("runuser", "-u", USER, "--") if os.geteuid() == 0 else ()

    def _run(self, name: str, *arguments: str) -> None:
        command = (*self._as, _program(name), *arguments)
        done = subprocess.run(command, capture_output=True, text=True, cwd="/", stdin=subprocess.DEVNULL)
        assert done.returncode == 0, done.stdout + done.stderr

    def create(self) -> None:
        """Make the data, a user and a database, and start."""
        password = self.folder / "password"
        password.write_text("secret")
        if self._as:
            shutil.chown(self.folder, USER)
            shutil.chown(password, USER)
        data = ("-D", str(self.folder / "data"))
        self._run("initdb", *data, "-U", "msk", "--pwfile", str(password), "-A", "scram-sha-256", "--no-sync")
        self.start()
        environment = os.environ | {"PGPASSWORD": "secret"}
        createdb = (_program("createdb"), "-h", "127.0.0.1", "-p", str(self.port), "-U", "msk", "records")
        subprocess.run(createdb, env=environment, check=True)

    def start(self) -> None:
        """Returns when it answers."""
        options = f"-c listen_addresses=127.0.0.1 -p {self.port} -k '' -c fsync=off"
        log = str(self.folder / "log")
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-l", log, "-o", options, "-w", "start")

    def stop(self) -> None:
        """End it, whoever is connected."""
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "-w", "stop")


@contextmanager
def postgresql() -> Iterator[PostgreSql]:
    """A server that runs; its data are gone afterwards."""
    # Not in a folder of pytest's, which another user may not enter.
    with tempfile.TemporaryDirectory(prefix="msk-postgresql-") as folder:
        Path(folder).chmod(0o755)
        server = PostgreSql(Path(folder))
        server.create()
        try:
            yield server
        finally:
            server.stop()
