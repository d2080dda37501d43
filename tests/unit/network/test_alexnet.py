"""The network: torchvision's AlexNet, whole or with thin layers."""

from dataclasses import replace

import pytest
import torch
import torchvision

from mskmodel.network.alexnet import AlexNet, Architecture, expanded, factorised, with_outputs


def a_batch(n: int = 2) -> torch.Tensor:
    return torch.randn((n, 3, 224, 224), generator=torch.Generator().manual_seed(0))


def test_the_original_head_gives_what_torchvision_gives_with_the_same_weights() -> None:
    torch.manual_seed(0)
    theirs = torchvision.models.alexnet(num_classes=14).eval()
    ours = AlexNet(Architecture(14, hidden=(4096, 4096), ranks=(0, 0))).eval()
    names = {name.replace("classifier.", "head."): tensor for name, tensor in theirs.state_dict().items()}

    ours.load_state_dict(names)

    with torch.inference_mode():
        torch.testing.assert_close(ours(a_batch()), theirs(a_batch()))


def test_a_layer_of_low_rank_loses_nothing_when_it_is_cut_to_that_rank() -> None:
    torch.manual_seed(0)
    model = AlexNet(Architecture(14, hidden=(128,), ranks=(0,))).eval()
    hidden = model.head[1]
    with torch.no_grad():
        hidden.weight.copy_(torch.randn(128, 8) @ torch.randn(8, 9216) / 100)

    thin = factorised(model, (8,))

    with torch.inference_mode():
        torch.testing.assert_close(thin(a_batch()), model(a_batch()), atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(expanded(thin).eval()(a_batch()), model(a_batch()), atol=1e-4, rtol=1e-4)


def test_thin_layers_are_small() -> None:
    thin = factorised(AlexNet(Architecture(14)), (64,))

    assert sum(parameter.numel() for parameter in thin.parameters()) * 2 < 8_000_000


def test_other_classes_keep_everything_but_the_last_layer() -> None:
    model = AlexNet(Architecture(14))

    other = with_outputs(model, 21).eval()

    with torch.inference_mode():
        assert other(a_batch(1)).shape == (1, 21)
    assert torch.equal(other.head[1].weight, model.head[1].weight)


def test_the_architecture_survives_json() -> None:
    unusual = Architecture(21, hidden=(4096, 512), ranks=(128, 0), looks=1)

    assert Architecture.from_json(unusual.to_json()) == unusual


def test_a_version_that_does_not_say_how_often_it_looks_takes_two_looks() -> None:
    values = Architecture(21).to_json()
    del values["looks"]

    assert Architecture.from_json(values).looks == 2


@pytest.mark.parametrize("looks", [0, 3, -1])
def test_another_number_of_looks_is_refused(looks: int) -> None:
    with pytest.raises(ValueError, match=f"1 or 2 looks, not {looks}"):
        Architecture.from_json(Architecture(21).to_json() | {"looks": looks})


def test_one_look_is_at_the_picture_and_a_second_one_at_its_mirror_image() -> None:
    model = AlexNet(Architecture(3, hidden=(16,), looks=1)).eval()
    images, mirrored = a_batch(), a_batch().flip(3)

    once = model.logits(images)
    model.architecture = replace(model.architecture, looks=2)
    twice = model.logits(images)

    with torch.inference_mode():
        torch.testing.assert_close(once, model(images), atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(twice, (model(images) + model(mirrored)) / 2, atol=1e-5, rtol=1e-4)
        assert not torch.allclose(once, twice, atol=1e-4)


def test_a_model_keeps_its_looks_whatever_is_made_of_it() -> None:
    model = AlexNet(Architecture(3, hidden=(16,), looks=1))

    for made in (factorised(model, (4,)), expanded(factorised(model, (4,))), with_outputs(model, 5)):
        assert made.architecture.looks == 1


def test_a_model_that_is_expanded_or_has_other_outputs_can_be_trained_further() -> None:
    model = AlexNet(Architecture(3, hidden=(16,)))

    for made in (expanded(factorised(model, (4,))), with_outputs(model, 5)):
        made(torch.zeros(1, 3, 224, 224)).sum().backward()
        assert made.head[-1].weight.grad is not None
