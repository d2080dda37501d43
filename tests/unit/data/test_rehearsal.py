"""Rehearsed phantoms: which are trained on, and which are held out."""

from pathlib import Path

import numpy as np
import pytest

from mskmodel.data.dataset import STORED, Pictures
from mskmodel.data.rehearsal import part_path, rehearsal
from mskmodel.labels import KEYS
from mskmodel.network.preprocessing import Preprocessing
from mskmodel.phantoms.views import NAMES, TURN

PARTS = 6


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry whose parts are all rendered: the first two pixels of each picture are its part and its number."""
    root = tmp_path_factory.mktemp("registry")
    views = np.array([NAMES.index(name) for name in TURN], np.int64)
    for part in range(PARTS):
        path = part_path(root, Preprocessing(), part)
        path.parent.mkdir(parents=True, exist_ok=True)
        values = np.zeros((len(TURN), STORED, STORED), np.uint8)
        values[:, 0, :2] = [[part, number] for number in range(len(TURN))]
        Pictures(values, np.full((len(TURN), 2), STORED, np.int16), views).save(path)
    return root


def names(pictures: Pictures) -> set[tuple[int, int]]:
    """Part and number of each."""
    return {(int(part), int(number)) for part, number in pictures.values[:, 0, :2]}


def test_one_turn_through_all_views_shows_every_class(root: Path) -> None:
    assert set(rehearsal(root, len(TURN), KEYS, Preprocessing(), 1).labels) == set(range(len(KEYS) + 1))


def test_more_phantoms_are_those_of_before_and_others(root: Path) -> None:
    few, more = (rehearsal(root, count, KEYS, Preprocessing(), 1) for count in (60, 260))
    assert (len(few), len(more)) == (60, 260)
    assert names(few) < names(more)
    assert np.bincount(more.labels, minlength=len(KEYS) + 1).min() >= 10


def test_a_view_that_the_model_tells_apart_is_labelled_as_that_kind(root: Path) -> None:
    plain, with_kinds = (
        rehearsal(root, 200, keys, Preprocessing(), 1).labels for keys in (KEYS, (*KEYS, "wrist", "chest"))
    )

    np.testing.assert_array_equal(np.minimum(with_kinds, len(KEYS)), plain)
    counts = np.bincount(with_kinds, minlength=len(KEYS) + 3)
    assert counts[len(KEYS) :].min() > 0
    assert counts[len(KEYS) + 2] > counts[len(KEYS)], "every other view is of unknown kind"
