"""Augmentation."""

from dataclasses import replace

import numpy as np
import torch

from mskmodel.data.dataset import STORED
from mskmodel.training.augmentation import Augmentation
from tests.drawn_pictures import pictures


def test_augmented_pictures_are_different_finite_and_in_range() -> None:
    some = pictures(6)
    random = torch.Generator().manual_seed(0)

    changed = [
        Augmentation()(torch.from_numpy(some.values), torch.from_numpy(some.extents), 224, random) for _ in range(2)
    ]

    assert changed[0].shape == (6, 224, 224)
    assert not torch.equal(changed[0], changed[1])
    assert all(float(c.min()) >= 0 and float(c.max()) <= 1 for c in changed)


def test_a_bend_moves_the_content_of_a_picture_and_leaves_its_grey_values() -> None:
    rows, columns = np.mgrid[0:STORED, 0:STORED]
    chessboard = ((rows // 24 + columns // 24) % 2 * 200).astype(np.uint8)[None].repeat(8, 0)
    extents = torch.full((8, 2), STORED, dtype=torch.int16)
    still = Augmentation(0, 0, 0, (1.0, 1.0), 0, 0, 0, 1.0, 0, 0, 0, 0, 0)

    plain, bent = (
        one(torch.from_numpy(chessboard), extents, 224, torch.Generator().manual_seed(0))
        for one in (still, replace(still, bend=0.04))
    )

    moved = (plain - bent).abs().mean(dim=(1, 2))
    assert (moved > 0.02).sum() >= 6
    assert (moved < 0.5).all()
    assert torch.quantile(bent.flatten(1), 0.9, dim=1).allclose(torch.ones(8), atol=0.05)
