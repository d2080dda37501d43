"""AlexNet for pictures without colour gives what AlexNet gives, in PyTorch and in OpenVINO."""

import numpy as np
import pytest
import torch

from mskmodel.network.alexnet import AlexNet, Architecture, factorised
from mskmodel.network.openvino_network import in_openvino
from mskmodel.network.preprocessing import Preprocessing
from mskmodel.network.single_channel import SingleChannel

MEAN, STD = (0.1, 0.5, 0.9), (0.2, 0.25, 0.4)


def a_model() -> AlexNet:
    """A model of random weights, the first convolution of which sees much of the border."""
    torch.manual_seed(0)
    model = factorised(AlexNet(Architecture(5, hidden=(32,))), (8,)).eval()
    with torch.no_grad():
        for layer in (model.features[0], model.head[-1]):
            layer.weight.mul_(10)
    return model


def pictures(size: int) -> torch.Tensor:
    """Noise as the network is given it, (3, 3, size, size)."""
    preprocessing = Preprocessing(size=size, mean=MEAN, std=STD)
    noise = np.random.default_rng(0).random((3, size, size), np.float32)
    return torch.from_numpy(np.stack([preprocessing.enhance(one) for one in noise]))


@pytest.mark.parametrize("size", [224, 225, 226, 227, 288])
@torch.inference_mode()
def test_one_channel_gives_what_three_give_to_the_edge_of_the_picture(size: int) -> None:
    model, images = a_model(), pictures(size)
    single = SingleChannel(model, size, MEAN, STD)

    first = single.first(single._in_blocks(images[:, :1])) + single.border

    torch.testing.assert_close(first, model.features[0](images), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(single(images[:, :1]), model(images), atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_the_model_that_it_is_made_from_stays_as_it_was() -> None:
    model, images = a_model(), pictures(224)
    answers, weights = model(images), {name: tensor.clone() for name, tensor in model.state_dict().items()}

    SingleChannel(model, 224, MEAN, STD)(images[:, :1])

    torch.testing.assert_close(model(images), answers, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(dict(model.state_dict()), weights, atol=0, rtol=0)


@torch.inference_mode()
def test_openvino_gives_the_same() -> None:
    pytest.importorskip("openvino", reason="the extra fast is not installed")
    model, images = a_model(), pictures(224)
    single = SingleChannel(model, 224, MEAN, STD)

    answer = in_openvino(single, 224, "f32")
    first, again = answer(images[:, :1]), answer(images[:1, :1])

    torch.testing.assert_close(first, model(images), atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(again, first[:1], atol=1e-3, rtol=1e-3)
