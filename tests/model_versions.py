"""Versions to promote in tests: the shipped model, made wrong in a known way."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from safetensors.torch import load_file
from torch import Tensor

from mskmodel.registry import SHIPPED, WEIGHTS, Registry, read_manifest


@cache
def _shipped_weights() -> dict[str, Tensor]:
    return load_file(SHIPPED / WEIGHTS)


def register_saying(registry: Registry, label: str) -> str:
    """Register a version that gives every picture `label`, and is certain of it; returns its name."""
    manifest, tensors = _manifest(), dict(_shipped_weights())
    bias = f"{_last_layer(tensors)}.bias"
    tensors[bias] = tensors[bias].clone()
    tensors[bias][manifest["classes"].index(label)] += 1000
    return registry.register(tensors, manifest)


def register_confusing(registry: Registry, one: str, other: str) -> str:
    """Register a version that confuses two classes with each other; returns its name."""
    manifest, tensors = _manifest(), dict(_shipped_weights())
    pair = [manifest["classes"].index(label) for label in (one, other)]
    for name in (f"{_last_layer(tensors)}.weight", f"{_last_layer(tensors)}.bias"):
        tensors[name] = tensors[name].clone()
        tensors[name][pair] = tensors[name][pair[::-1]]
    return registry.register(tensors, manifest)


def _manifest() -> dict[str, Any]:
    return {name: value for name, value in read_manifest(SHIPPED).items() if name not in ("version", "made")}


def _last_layer(tensors: Mapping[str, Tensor]) -> str:
    return max(name for name in tensors if name.startswith("head.") and name.endswith(".bias")).removesuffix(".bias")
