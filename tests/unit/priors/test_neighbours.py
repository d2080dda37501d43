"""The table of neighbours, and a site's own."""

from pathlib import Path

import pytest

from mskmodel.evidence.terms import REGION_TERMS
from mskmodel.labels import BY_KEY
from mskmodel.priors.neighbours import OWN_NEIGHBOURS, SHIPPED, own_neighbours
from mskmodel.tables.problems import TableError
from tests.unit.priors.made import exam, prior, shows

FOOT = exam(shows("foot_ap", "L"))


def table(folder: Path, *rows: str) -> Path:
    path = folder / "neighbours.csv"
    path.write_text("\n".join(["region,neighbour,weight", *rows]))
    return path


def test_the_shipped_table_names_known_regions() -> None:
    known = REGION_TERMS.keys() | {label.region for label in BY_KEY.values()}
    assert {region for pair in SHIPPED for region in pair} <= known


def test_neighbours_are_relevant_both_ways() -> None:
    for label in ("ankle_ap", "calcaneus", "toes", "lower_leg"):
        other = exam(shows(label, "L"))
        assert prior(FOOT, other) and prior(other, FOOT), label


def test_a_site_adds_pairs_and_takes_some_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    knee, toes = exam(shows("knee_ap", "L")), exam(shows("toes", "L"))
    assert prior(FOOT, toes) and not prior(FOOT, knee)
    monkeypatch.setenv(OWN_NEIGHBOURS, str(table(tmp_path, "toe,foot,0", "foot,knee,0.6")))
    assert prior(FOOT, knee) and not prior(FOOT, toes)
    assert prior(FOOT, exam(shows("ankle_ap", "L"))), "shipped pairs stay"


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("foot,foot,0.5", "no neighbour of itself"),
        ("foot,knee,1.5", "number from 0 to 1"),
        ("foot,knee,nan", "number from 0 to 1"),
        ("foot,knee,much", "number from 0 to 1"),
        ("Meier Anna,knee,0.5", "lower-case letters"),
        ("foot,,0.5", "lower-case letters"),
    ],
)
def test_what_is_wrong_is_told_by_line_and_not_quoted(tmp_path: Path, row: str, why: str) -> None:
    with pytest.raises(TableError, match=f"line 3: .*{why}") as caught:
        own_neighbours(table(tmp_path, "foot,hand,0.1", row))
    assert "Meier" not in str(caught.value)


def test_a_pair_has_one_line(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="line 3: these two regions have a line already"):
        own_neighbours(table(tmp_path, "foot,knee,0.1", "knee,foot,0.2"))
