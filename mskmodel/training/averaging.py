"""Averages of weights: models that begin with the same weights end so close to each other that their mean is one too.

The mean of several runs does better on unseen data than any of them (Wortsman et al. 2022, "Model soups"), and so does
the mean with the weights that the runs began with (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models").
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from mskmodel.network.alexnet import AlexNet

__all__ = ["averaged"]


def averaged(base: AlexNet, runs: Sequence[Mapping[str, Tensor]], kept: float) -> AlexNet:
    """The mean of the runs' weights and, by the share ``kept`` (0..1), those of ``base``, in evaluation mode.

    ``runs``: state dicts of models that were trained from ``base``.
    """
    model = copy.deepcopy(base)
    tuned = {name: torch.stack([run[name].float() for run in runs]).mean(0) for name in runs[0]}
    model.load_state_dict({name: torch.lerp(tuned[name], old, kept) for name, old in base.state_dict().items()})
    return model.eval()
