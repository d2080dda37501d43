"""One model version on disk: an immutable directory of weights and a manifest, which is written last.

Needs no torch, so that programs which only list or name versions need not load it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from mskmodel.whole_file import write_whole

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "MANIFEST",
    "REPORT",
    "SHIPPED",
    "STARTED_FROM",
    "WEIGHTS",
    "RegistryError",
    "Version",
    "check_weights",
    "others_beside",
    "read_manifest",
    "write_version",
]

#: The version that comes with the program, served until a site promotes one of its own.
SHIPPED = Path(__file__).parents[1] / "shipped"
MANIFEST = "model.json"
#: How ``starting_weights`` of a manifest begins where another version was trained further; its name follows.
STARTED_FROM = "version "
WEIGHTS = "weights.safetensors"
#: A page for people, where one was made.
REPORT = "report.html"


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
    """The manifest of a complete version. RegistryError if there is none, or it cannot be read, or has NaN in it."""
    try:
        manifest = json.loads((directory / MANIFEST).read_text())
        json.dumps(manifest, allow_nan=False)
    except FileNotFoundError as error:
        raise RegistryError(f"{directory} holds no complete model version: {MANIFEST} is missing") from error
    except (OSError, ValueError) as error:
        raise RegistryError(f"{directory / MANIFEST} cannot be read: {error}") from error
    if not isinstance(manifest, dict) or "version" not in manifest:
        raise RegistryError(f"{directory / MANIFEST} is not the manifest of a model version")
    return manifest


def others_beside(directory: Path, classes: Sequence[str]) -> tuple[str, ...]:
    """Kinds of none of the classes that a version tells apart, without those that are ``classes``. RegistryError."""
    return tuple(key for key in read_manifest(directory).get("others", ()) if key not in classes)


def write_version(directory: Path, tensors: Mapping[str, Tensor], manifest: Mapping[str, Any]) -> str:
    """Write weights, then the manifest, whose existence marks a complete version; returns the version's name.

    ``directory`` must exist. The manifest gains ``version``, ``made`` and ``weights_sha256``. Raises OSError, and
    RegistryError where a weight or a number of the manifest is not finite.
    """
    arrays = {name: tensor.contiguous().numpy() for name, tensor in tensors.items()}
    _check_finite(arrays, "the new version")
    weights = save(arrays)
    contents = dict(manifest) | {"weights_sha256": hashlib.sha256(weights).hexdigest()}
    try:
        plain = json.dumps(contents, sort_keys=True, allow_nan=False)
    except ValueError as error:
        raise RegistryError(f"the new version cannot be used: in its manifest, {error}") from error
    digest = hashlib.sha256(plain.encode()).hexdigest()
    made = datetime.now(UTC)
    name = str(Version(made, digest))
    write_whole(directory / WEIGHTS, weights)
    contents = {"version": name, "made": made.isoformat(timespec="seconds")} | contents
    write_whole(directory / MANIFEST, json.dumps(contents, indent=1).encode() + b"\n")
    return name


def check_weights(directory: Path) -> None:
    """Raise RegistryError unless the weights are the bytes that the manifest was written for, and finite numbers."""
    wanted = read_manifest(directory).get("weights_sha256")
    try:
        weights = (directory / WEIGHTS).read_bytes()
        if hashlib.sha256(weights).hexdigest() != wanted:
            raise RegistryError(f"{directory / WEIGHTS} is damaged: it is not what was registered")
        tensors = load(weights)
    except OSError as error:
        raise RegistryError(f"{directory / WEIGHTS} cannot be read: {error.strerror}") from error
    except SafetensorError as error:
        raise RegistryError(f"{directory / WEIGHTS} is damaged: {error}") from error
    _check_finite(tensors, f"{directory / WEIGHTS}")


def _check_finite(tensors: Mapping[str, NDArray[Any]], what: str) -> None:
    if bad := [name for name, values in tensors.items() if not np.isfinite(values).all()]:
        raise RegistryError(f"{what} cannot be used: {bad[0]} has values that are no numbers")
