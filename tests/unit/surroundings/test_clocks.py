"""A difference between clocks is told with its size and what it does."""

import pytest

from workers.surroundings import OK, WARNING
from workers.surroundings.clocks import compare_clocks


@pytest.mark.parametrize("theirs", [1000.0, 1059.0, 941.0])
def test_a_difference_that_does_no_harm_is_not_told(theirs: float) -> None:
    assert compare_clocks("Clock", theirs, 1000.0, "harm").status == OK


@pytest.mark.parametrize(
    ("theirs", "shown"),
    [
        (1000 + 90, "90 seconds ahead of this machine's: harm"),
        (1000 + 420, "7 minutes ahead of this machine's: harm"),
        (1000 - 420, "7 minutes behind this machine's: harm"),
        (1000 - 7200, "120 minutes behind this machine's: harm"),
    ],
)
def test_a_difference_of_minutes_is_told(theirs: float, shown: str) -> None:
    found = compare_clocks("Clock", theirs, 1000.0, "harm")
    assert (found.status, found.detail) == (WARNING, shown)
