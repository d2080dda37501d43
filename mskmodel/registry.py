"""Model versions: immutable directories of weights and a manifest, and a pointer to the one that is served.

Reads without torch, so that what only lists or names versions need not load it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors.numpy import save

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["MANIFEST", "SHIPPED", "WEIGHTS", "Registry", "RegistryError", "Version", "read_manifest", "write_version"]

#: The version that comes with the program, served until a site promotes one of its own.
SHIPPED = Path(__file__).parent / "shipped"
MANIFEST = "model.json"
WEIGHTS = "weights.safetensors"
_POINTER = "promoted"
_HISTORY = "promoted.history.jsonl"


class RegistryError(Exception):
    """A model version is missing, incomplete or damaged."""


@dataclass(frozen=True)
class Version:
    """Name of a version: when it was made (UTC) and what it contains."""

    made: datetime
    content: str

    def __str__(self) -> str:
        return f"{self.made:%Y%m%dT%H%M%SZ}-{self.content[:12]}"

    @classmethod
    def parse(cls, text: str) -> Version:
        """From its name; ValueError if it is none."""
        time, _, content = text.partition("-")
        if len(content) != 12 or set(content) - set("0123456789abcdef"):
            raise ValueError(f"{text!r} is not the name of a model version")
        return cls(datetime.strptime(time, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC), content)


def read_manifest(directory: Path) -> dict[str, Any]:
    """The manifest of a whole version. RegistryError if there is none or it cannot be read."""
    try:
        manifest = json.loads((directory / MANIFEST).read_text())
    except FileNotFoundError as error:
        raise RegistryError(f"{directory} holds no whole model version: {MANIFEST} is missing") from error
    except (OSError, ValueError) as error:
        raise RegistryError(f"{directory / MANIFEST} cannot be read: {error}") from error
    if not isinstance(manifest, dict) or "version" not in manifest:
        raise RegistryError(f"{directory / MANIFEST} is not the manifest of a model version")
    return manifest


def write_version(directory: Path, tensors: Mapping[str, Tensor], manifest: Mapping[str, Any]) -> str:
    """Write weights, then the manifest (its existence says that the version is whole); returns the version's name.

    ``directory`` must exist. The manifest gains ``version``, ``made`` and ``weights_sha256``.
    """
    weights = save({name: tensor.contiguous().numpy() for name, tensor in tensors.items()})
    contents = dict(manifest) | {"weights_sha256": hashlib.sha256(weights).hexdigest()}
    digest = hashlib.sha256(json.dumps(contents, sort_keys=True).encode()).hexdigest()
    made = datetime.now(UTC)
    name = str(Version(made, digest))
    _write(directory / WEIGHTS, weights)
    contents = {"version": name, "made": made.isoformat(timespec="seconds")} | contents
    _write(directory / MANIFEST, json.dumps(contents, indent=1).encode() + b"\n")
    return name


class Registry:
    """Versions below ``root``; None, or an empty root, has the shipped version only."""

    def __init__(self, root: Path | None) -> None:
        self.root = root

    def promoted(self) -> Path:
        """Directory of the version to serve. RegistryError if the pointer names one that is not there."""
        name = self._pointer()
        return SHIPPED if name is None else self.find(name)

    def find(self, name: str) -> Path:
        """Directory of a whole version by its name; ``shipped`` is the one that comes with the program."""
        if name in ("shipped", read_manifest(SHIPPED)["version"]):
            return SHIPPED
        directory = self._root() / _parsed(name)
        read_manifest(directory)
        return directory

    def versions(self) -> list[str]:
        """Names of all whole versions, oldest first; the shipped one is not among them."""
        if self.root is None or not self.root.is_dir():
            return []
        return sorted(path.parent.name for path in self.root.glob(f"*-*/{MANIFEST}"))

    def register(
        self, tensors: Mapping[str, Tensor], manifest: Mapping[str, Any], reports: Mapping[str, bytes] | None = None
    ) -> str:
        """Keep a new version, whole or not at all; returns its name. It is not served before ``promote``."""
        root = self._root()
        root.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=".building-", dir=root))
        try:
            for report, content in (reports or {}).items():
                _write(building / report, content)
            name = write_version(building, tensors, manifest)
            building.chmod(0o755)
            building.rename(root / name)
        except BaseException:
            shutil.rmtree(building)
            raise
        return name

    def promote(self, name: str) -> None:
        """Serve this version from now on. The pointer changes in one step; what it was is kept in the history."""
        directory = self.find(name)
        # By that word, not by its name: an upgrade of the program replaces the shipped version.
        version = "shipped" if directory == SHIPPED else directory.name
        root = self._root()
        root.mkdir(parents=True, exist_ok=True)
        entry = {"version": version, "before": self._pointer(), "at": datetime.now(UTC).isoformat(timespec="seconds")}
        with (root / _HISTORY).open("a") as history:
            history.write(json.dumps(entry) + "\n")
        _write(root / _POINTER, f"{version}\n".encode())

    def history(self) -> list[dict[str, Any]]:
        """Every promotion, oldest first: ``version``, ``before``, ``at``."""
        if self.root is None or not (self.root / _HISTORY).is_file():
            return []
        return [json.loads(line) for line in (self.root / _HISTORY).read_text().splitlines()]

    def _root(self) -> Path:
        if self.root is None:
            raise RegistryError("no model registry is configured: set MSK_MODELS to a folder")
        return self.root

    def _pointer(self) -> str | None:
        if self.root is None:
            return None
        try:
            return (self.root / _POINTER).read_text().strip()
        except FileNotFoundError:
            return None


def _parsed(name: str) -> str:
    """The name, if it is one: what comes from outside must not become a path to elsewhere."""
    try:
        return str(Version.parse(name))
    except ValueError as error:
        raise RegistryError(str(error)) from error


def _write(path: Path, content: bytes) -> None:
    """All of it or nothing, also when the machine stops meanwhile."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
