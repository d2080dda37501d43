"""The table of views, and what is on the films of each."""

from mskmodel.labels import KEYS
from mskmodel.phantoms import CLASSES, NEIGHBOURS
from mskmodel.phantoms.views import TURN


def test_the_classes_are_the_labels():
    assert set(CLASSES) == set(KEYS)
    assert not set(CLASSES) & set(NEIGHBOURS)


def test_a_turn_through_all_views_has_each_class_twice_and_each_neighbour_once():
    assert sorted(TURN) == sorted([*CLASSES, *CLASSES, *NEIGHBOURS])
