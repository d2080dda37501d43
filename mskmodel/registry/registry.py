"""The registry: a folder of model versions, and a pointer to the one that is served.

Needs no torch, so that programs which only list or name versions need not load it.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mskmodel.registry.version import (
    MANIFEST,
    SHIPPED,
    STARTED_FROM,
    RegistryError,
    Version,
    check_weights,
    read_manifest,
    write_version,
)
from mskmodel.whole_file import write_whole

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["AnotherServes", "Registry"]

_POINTER = "promoted"
_HISTORY = "promoted.history.jsonl"
_LOCK = ".promoting"


class AnotherServes(RegistryError):
    """The version with which a new one was compared is no longer the one that is served."""

    def __init__(self, compared: str, served: str) -> None:
        super().__init__(f"it was compared with {compared}, but {served} is served now")
        self.compared, self.served = compared, served


class Registry:
    """Versions below ``root``; if that is None or empty, there is only the shipped version."""

    def __init__(self, root: Path | None) -> None:
        self.root = root

    def promoted(self) -> Path:
        """Directory of the version to serve. RegistryError if the pointer names one that is not there."""
        name = self.promoted_name()
        return SHIPPED if name is None else self.find(name)

    def promoted_name(self) -> str | None:
        """The name in the pointer; None if nothing was ever promoted. RegistryError if it cannot be read."""
        if self.root is None:
            return None
        try:
            return (self.root / _POINTER).read_text().strip()
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise RegistryError(f"{self.root / _POINTER} cannot be read: {error}") from error

    def find(self, name: str) -> Path:
        """Directory of a complete version by its name; ``shipped`` is the one that comes with the program."""
        if name in ("shipped", read_manifest(SHIPPED)["version"]):
            return SHIPPED
        directory = self._root() / _parsed(name)
        read_manifest(directory)
        return directory

    def origin_of(self, directory: Path) -> Path:
        """The version that the jobs which made this one started from; the version itself if no job made it.

        Where that one is gone, as after an upgrade of the program, the shipped one takes its place. RegistryError.
        """
        manifest = read_manifest(directory)
        if "job" not in manifest:
            return directory
        name = str(manifest.get("starting_weights", "")).removeprefix(STARTED_FROM)
        try:
            return self.origin_of(self.find(name))
        except RegistryError:
            return SHIPPED

    def versions(self) -> list[str]:
        """Names of all complete versions, oldest first, without the shipped one."""
        if self.root is None or not self.root.is_dir():
            return []
        names = (path.parent.name for path in self.root.glob(f"*-*/{MANIFEST}"))
        return sorted(name for name in names if _is_name(name))

    def register(
        self,
        tensors: Mapping[str, Tensor],
        manifest: Mapping[str, Any],
        reports: Mapping[str, bytes] | None = None,
        try_it: Callable[[Path], object] = lambda _: None,
    ) -> str:
        """Atomically add a new version; returns its name. It is not served before ``promote``.

        The same weights and manifest, registered again within the same second, are the same version.

        Args:
            try_it: called with the folder of the whole version before it is added; may raise, and nothing is added.

        Raises:
            RegistryError: there is no registry; a weight or a number of the manifest is not finite.
            OSError: the registry cannot be written.
        """
        root = self._root()
        root.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=".building-", dir=root))
        try:
            for report, content in (reports or {}).items():
                write_whole(building / report, content)
            name = write_version(building, tensors, manifest)
            try_it(building)
            building.chmod(0o755)
            if not (root / name).exists():
                building.rename(root / name)
        finally:
            if building.exists():
                shutil.rmtree(building)
        return name

    def check_writable(self) -> None:
        """Raise RegistryError unless a version can be added, as far as can be told before one is trained."""
        root = self._root()
        try:
            root.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=root).close()
        except OSError as error:
            raise RegistryError(f"no version can be added to {root}: {error.strerror}") from error

    def promote(self, name: str, instead_of: str | None = None) -> None:
        """Serve this version from now on. The pointer changes atomically; its earlier value is kept in the history.

        ``instead_of``: the version that it may replace; AnotherServes if that one is no longer served.
        RegistryError if the version does not exist, or its weights are not those that it was registered with.
        """
        directory = self.find(name)
        check_weights(directory)
        # The pointer says "shipped", not that version's name, so that an upgrade of the program replaces it.
        with self._locked():
            served = self.promoted_name() or "shipped"
            if instead_of is not None and served not in (instead_of, _pointer_of(instead_of)):
                raise AnotherServes(instead_of, served)
            self._point_to("shipped" if directory == SHIPPED else directory.name, {})

    def rollback(self) -> str:
        """Serve the version before; each call goes back one more. Returns its name; RegistryError if none is left."""
        with self._locked():
            before = self.served_before()
            if not before:
                raise RegistryError("nothing was served before: there is no promotion to roll back")
            check_weights(self.find(before[0]))
            self._point_to(before[0], {"rollback": True})
        return before[0]

    def served_before(self) -> list[str]:
        """The versions that repeated calls of `rollback` serve, in that order; without those rolled back already."""
        names: list[str] = []
        for entry in self.history():
            if entry.get("rollback"):
                while names and names.pop() != entry["version"]:
                    pass
            elif entry["version"] != entry["before"]:
                names.append(entry["before"] or "shipped")
        now = self.promoted_name() or "shipped"
        while names and names[-1] == now:
            names.pop()
        return names[::-1]

    def history(self) -> list[dict[str, Any]]:
        """Every promotion, oldest first: ``version``, ``before``, ``at``; and ``rollback`` if it was one."""
        if self.root is None:
            return []
        try:
            entries = [json.loads(line) for line in (self.root / _HISTORY).read_text().splitlines()]
        except FileNotFoundError:
            return []
        except (OSError, ValueError) as error:
            raise RegistryError(f"{self.root / _HISTORY} cannot be read: {error}") from error
        if not all(isinstance(entry, dict) and {"version", "before", "at"} <= entry.keys() for entry in entries):
            raise RegistryError(f"{self.root / _HISTORY} is not a history of promotions")
        return entries

    def _point_to(self, version: str, notes: Mapping[str, Any]) -> None:
        """Change the pointer, under the lock. The history is written first, so that it misses no promotion."""
        entry = {
            "version": version,
            "before": self.promoted_name(),
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        lines = [json.dumps(each) + "\n" for each in (*self.history(), entry | dict(notes))]
        write_whole(self._root() / _HISTORY, "".join(lines).encode())
        write_whole(self._root() / _POINTER, f"{version}\n".encode())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Allow one promotion at a time, across all hosts."""
        root = self._root()
        root.mkdir(parents=True, exist_ok=True)
        with (root / _LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _root(self) -> Path:
        if self.root is None:
            raise RegistryError("no model registry is configured: set MSK_MODELS to a folder")
        return self.root


def _pointer_of(version: str) -> str:
    """The name of a version as it stands in the pointer."""
    return "shipped" if version == read_manifest(SHIPPED)["version"] else version


def _is_name(text: str) -> bool:
    """Whether a text is the name of a version, and not that of a copy which somebody made."""
    try:
        Version.parse(text)
    except ValueError:
        return False
    return True


def _parsed(name: str) -> str:
    """The name, if it is one, or RegistryError: input must not become a path to elsewhere."""
    try:
        return str(Version.parse(name))
    except ValueError as error:
        raise RegistryError(str(error)) from error
