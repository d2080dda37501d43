"""The network in OpenVINO, a library for inference on processors. The package is optional."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mskmodel.network.single_channel import BLOCK, PADDING, SingleChannel

__all__ = ["in_openvino"]


def in_openvino(network: SingleChannel, size: int, precision: str) -> Callable[[Tensor], Tensor]:
    """The same network, (n, 1, size, size) float32 to (n, outputs) float32, on as many threads as PyTorch has.

    Args:
        precision: f32 or bf16.

    Raises:
        ImportError: the package is not installed.
        RuntimeError: it cannot do this on this processor.
    """
    import openvino

    options = {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "NUM_STREAMS": 1,
        "ENABLE_CPU_PINNING": False,  # every process of a worker would pin its threads to the same cores
    }
    request = openvino.Core().compile_model(_graph(network, size), "CPU", options).create_infer_request()

    def answer(images: Tensor) -> Tensor:
        found = request.infer([images.contiguous().numpy()])
        return torch.from_numpy(np.array(found[0]))  # a copy: the next call writes over it

    return answer


def _graph(network: SingleChannel, size: int) -> Any:
    from openvino import Model, Type, opset13

    images = opset13.parameter([-1, 1, size, size], Type.f32)
    before, behind = [0, 0, PADDING, PADDING], [0, 0, network.behind, network.behind]
    padded = opset13.pad(images, before, behind, "constant", opset13.constant(np.float32(0)))
    blocks = opset13.space_to_depth(padded, "blocks_first", BLOCK)
    first = opset13.add(_through(blocks, network.first), _constant(network.border))
    return Model([reduce(_through, network.rest, first)], [images])


def _through(before: Any, layer: nn.Module) -> Any:
    """The output of a layer in evaluation mode."""
    from openvino import opset13

    match layer:
        case nn.Sequential():
            return reduce(_through, layer, before)
        case nn.Conv2d():
            ends = list(layer.padding)
            product = opset13.convolution(before, _constant(layer.weight), list(layer.stride), ends, ends, [1, 1])
            assert layer.bias is not None
            return opset13.add(product, _constant(layer.bias[:, None, None]))
        case nn.Linear():
            product = opset13.matmul(before, _constant(layer.weight), False, True)
            return product if layer.bias is None else opset13.add(product, _constant(layer.bias))
        case nn.ReLU():
            return opset13.relu(before)
        case nn.MaxPool2d(kernel_size=int(kernel), stride=int(stride)):
            pooled = opset13.max_pool(before, [stride] * 2, [1, 1], [0, 0], [0, 0], [kernel] * 2)
            return pooled.output(0)  # the other one says where the maxima were
        case nn.AdaptiveAvgPool2d():
            return opset13.adaptive_avg_pool(before, opset13.constant(np.array(layer.output_size)))
        case nn.Flatten():
            return opset13.reshape(before, opset13.constant(np.array([0, -1])), special_zero=True)
        case nn.Dropout():
            return before
    raise TypeError(f"no such layer in OpenVINO: {type(layer).__name__}")


def _constant(values: Tensor) -> Any:
    from openvino import opset13

    return opset13.constant(values.detach().contiguous().numpy())
