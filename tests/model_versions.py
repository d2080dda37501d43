"""Versions to promote in tests: the shipped model, made wrong in a known way."""

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save
from torch import Tensor

from mskmodel.registry import MANIFEST, SHIPPED, WEIGHTS, Registry, read_manifest


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
    """Register a version that mostly takes two classes for each other, less sure than before; returns its name."""
    manifest, tensors = _manifest(), dict(_shipped_weights())
    pair = [manifest["classes"].index(label) for label in (one, other)]
    for name in (f"{_last_layer(tensors)}.weight", f"{_last_layer(tensors)}.bias"):
        rows = tensors[name][pair]
        tensors[name] = tensors[name].clone()
        tensors[name][pair] = 0.7 * rows.flip(0) + 0.3 * rows
    return registry.register(tensors, manifest)


def harm_weights(version: Path, harm: str) -> None:
    """Make a version answer with what is no number: its weights are NaN, infinite, or so large that they overflow."""
    value = {"NaN": float("nan"), "infinite": float("inf"), "too large": 60_000.0}[harm]
    tensors = load_file(version / WEIGHTS)
    for name in tensors if harm == "too large" else list(tensors)[:1]:
        tensors[name] = torch.full_like(tensors[name], value)
    weights = save(tensors)
    (version / WEIGHTS).write_bytes(weights)
    manifest = read_manifest(version) | {"weights_sha256": hashlib.sha256(weights).hexdigest()}
    (version / MANIFEST).write_text(json.dumps(manifest))


def _manifest() -> dict[str, Any]:
    return {name: value for name, value in read_manifest(SHIPPED).items() if name not in ("version", "made")}


def _last_layer(tensors: Mapping[str, Tensor]) -> str:
    return max(name for name in tensors if name.startswith("head.") and name.endswith(".bias")).removesuffix(".bias")
