"""A local stack for tests, controlled by the commands that a person would use."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from workers.pacs import OrthancClient
from workers.stack.discovery import environment_of
from workers.supervision.leftovers import leftovers


class LocalStack:
    """A stack of its own under a folder, on free ports.

    ``program``: how `msk` is called. ``variables``: added to its environment.
    """

    def __init__(
        self,
        folder: Path,
        *,
        program: Sequence[str] = (sys.executable, "-m", "workers.cli"),
        variables: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.data, self.state_file = folder / "data", folder / "state.json"
        self.program, self._variables = program, variables

    @classmethod
    @contextmanager
    def running(cls, folder: Path, **options: Any) -> Iterator["LocalStack"]:
        """A stack that is up, and is taken down afterwards; ``options`` as those of the class."""
        stack = cls(folder, **options)
        stack.up()
        try:
            yield stack
        finally:
            stack.down()

    def msk(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `msk`; its output is text."""
        result = subprocess.run((*self.program, *arguments), capture_output=True, text=True, env=self.environment)
        assert not check or result.returncode == 0, result.stdout + result.stderr
        return result

    def up(self, *arguments: str) -> str:
        """Start it in the background and wait until it is ready; returns the output."""
        up = ("up", "--data", str(self.data), "--state", str(self.state_file), "--workers", "1", "--device", "cpu")
        self.__dict__.pop("orthanc", None)
        return self.msk(*up, "--detach", *arguments).stdout

    def down(self) -> None:
        """End it and wait until it is gone."""
        self.msk("down", "--data", str(self.data))

    @property
    def state(self) -> dict[str, Any]:
        """Addresses, credentials, process ids."""
        found: dict[str, Any] = json.loads(self.state_file.read_text())
        return found

    @property
    def supervisor(self) -> int:
        """Process id of what watches over the others."""
        return int(self.state["supervisor"])

    def pid(self, name: str) -> int | None:
        """Process id of a service; None while it is being restarted."""
        found = (process["pid"] for process in self.state["processes"] if process["name"] == name)
        return next(found, None)

    @property
    def processes(self) -> list[int]:
        """Every living process that the stack has started, the children's children included."""
        return leftovers(self.data.resolve())

    @property
    def environment(self) -> dict[str, str]:
        """Environment of commands that use it."""
        found = environment_of(self.state) if self.state_file.exists() else {}
        return {**os.environ, **self._variables, **found}

    @cached_property
    def orthanc(self) -> OrthancClient:
        """A client of its Orthanc."""
        orthanc = self.state["orthanc"]
        return OrthancClient(orthanc["url"], orthanc["user"], orthanc["password"])

    def outcome(self, instance_id: str) -> dict[str, Any] | None:
        """The outcome of an instance; None while there is none."""
        text = self.orthanc.metadata(instance_id).get("MskPrediction")
        return None if text is None else json.loads(text)
