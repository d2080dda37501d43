"""How a processor executes the network: with which library and in which precision, chosen by measurement.

Which is fastest depends on the processor: bfloat16 takes half the time of float32 where there are instructions for it,
and several times as long elsewhere.
"""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Callable, Collection, Mapping
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mskmodel.network.openvino_network import in_openvino
from mskmodel.network.single_channel import SingleChannel

__all__ = ["FLOAT32", "Network", "fastest", "ways"]

#: (n, 1, size, size) float32 to (n, outputs) float32 logits.
Network = Callable[[Tensor], Tensor]

#: The way that every other one must agree with, and must beat.
FLOAT32 = "torch float32"
#: Another way is taken only below this share of its time, for one picture and for several: noise is no reason.
_CLEARLY = 0.85
#: How far a probability may be from that of float32. bfloat16 moves it by up to 0.003 on the known pictures, and by up
#: to 0.016 on 833 others.
_ALIKE = 0.01
#: Pictures of the larger batch: as many as a worker classifies together in a backfill.
_SEVERAL = 4
#: The best of so many turns is a way's time: in others, the processor may have been busy with something else.
_TURNS = 3
#: No further turn begins after so many seconds: on a machine that is busy with other things, a label cannot wait.
_SECONDS = 0.5

_log = logging.getLogger(__name__)


def fastest(network: SingleChannel, size: int, ask: Callable[[Network, int], NDArray[np.float64]]) -> Network:
    """The fastest way to execute the network here whose answers agree with float32; takes one to two seconds.

    Args:
        size: side of the pictures, pixels.
        ask: the probabilities, (n, outputs), that a way gives for n pictures, always the same ones.
    """
    found = ways(network, size)
    expected = ask(found[FLOAT32], _SEVERAL)
    alike = {name: way for name, way in found.items() if _agrees(name, partial(ask, way), expected)}
    alone = _milliseconds(alike, partial(_asked, ask, 1))
    quick = {name: alike[name] for name in _clearly_faster(alone, alike)}
    together = _milliseconds(quick, partial(_asked, ask, _SEVERAL))
    chosen = min(_clearly_faster(together, quick), key=lambda name: alone[name] + together[name])
    times = ", ".join(f"{name} {alone[name]:.1f} {together.get(name, np.nan):.1f}" for name in alike)
    _log.info("network-execution chosen=%s milliseconds of 1 and of %d: %s", chosen, _SEVERAL, times)
    return found[chosen]


def ways(network: SingleChannel, size: int) -> dict[str, Network]:
    """All ways to execute the network that this machine has, by name; the first is ``FLOAT32``."""
    found: dict[str, Network] = {FLOAT32: network}
    precisions = {"float32": "f32"}
    if torch.cpu._is_avx512_bf16_supported():
        found["torch bfloat16"] = copy.deepcopy(network).bfloat16()
        precisions["bfloat16"] = "bf16"
    for name, precision in precisions.items():
        try:
            found[f"openvino {name}"] = in_openvino(network, size, precision)
        except ImportError:
            break
        except RuntimeError as error:
            _log.warning("openvino-unusable precision=%s error=%s", name, str(error).strip().rpartition("\n")[2])
    return found


def _agrees(name: str, ask: Callable[[int], NDArray[np.float64]], expected: NDArray[np.float64]) -> bool:
    """Whether a way answers, and as float32 does."""
    try:
        difference = float(np.abs(ask(len(expected)) - expected).max())
    except (ArithmeticError, RuntimeError) as error:
        _log.warning("network-execution refused=%s error=%s", name, type(error).__name__)
        return False
    if difference > _ALIKE:
        _log.warning("network-execution refused=%s difference=%.3f", name, difference)
    return difference <= _ALIKE


def _asked(ask: Callable[[Network, int], NDArray[np.float64]], count: int, way: Network) -> None:
    ask(way, count)


def _milliseconds(found: Mapping[str, Network], run: Callable[[Network], None]) -> dict[str, float]:
    """The best of several turns of each way; they take turns, so that all meet the same load. NaN for a single way."""
    if len(found) == 1:
        return dict.fromkeys(found, float("nan"))  # nothing to compare with
    best, until = dict.fromkeys(found, float("inf")), time.monotonic() + _SECONDS
    for turn in range(_TURNS):
        if turn and time.monotonic() > until:
            break
        for name, way in found.items():
            began = time.perf_counter()
            run(way)
            best[name] = min(best[name], (time.perf_counter() - began) * 1000)
    return best


def _clearly_faster(milliseconds: Mapping[str, float], names: Collection[str]) -> list[str]:
    """``FLOAT32``, and the others that are clearly faster."""
    limit = _CLEARLY * milliseconds[FLOAT32]
    return [name for name in names if name == FLOAT32 or milliseconds[name] <= limit]
