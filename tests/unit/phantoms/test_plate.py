"""Several views on one plate."""

import numpy as np
import pytest

from mskmodel.labels import SEVERAL_VIEWS
from mskmodel.phantoms import NEIGHBOURS
from mskmodel.phantoms.plate import plate


@pytest.mark.parametrize("seed", range(12))
def test_every_exposure_is_on_the_plate_and_none_hides_another(seed: int) -> None:
    shades, scales = (0.4, 0.55, 0.7), (1.0, 0.5, 0.8)
    exposures = [np.full((200, 110), shade, np.float32) for shade in shades]

    film = plate(exposures, scales, "R", np.random.default_rng(seed))

    assert film.dtype == np.float32
    assert 0 <= film.min() <= film.max() <= 1
    for shade, scale in zip(shades, scales, strict=True):
        area = (np.abs(film - shade) < 0.003).sum()
        # Collimators, markers and equal heights take some of it; no more than the exposure itself may be there.
        assert 0.4 * scale**2 * 200 * 110 < area < 1.1 * scale**2 * 200 * 110


def test_a_plate_shows_two_or_three_views_of_one_joint() -> None:
    for view in NEIGHBOURS[SEVERAL_VIEWS]:
        assert len(view.beside) in (1, 2)
        assert view.part
        assert all(set(one.landmark) & set(view.landmark) for one in view.beside)
        seen = [(one.beam, one.swing) for one in (view, *view.beside)]
        assert len(set(seen)) == len(seen), "no view twice"
