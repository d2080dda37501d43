"""How much of what hospitals write is understood."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from mskmodel.evidence.coverage import MODEL, coverage, read_texts, report

#: Texts of hospitals that the vocabulary was made without.
HELD_OUT = Path(__file__).parents[2] / "data" / "header_strings.csv"

TABLE = """text,field,language,region,view,side,source
Knie re. seitl.,StudyDescription,de,knee,lateral,R,here
Xyzgelenk,BodyPartExamined,de,knee,,,here
Ellenbogen,body part,de,hand,,,here
Hand und Knie,SeriesDescription,de,hand,,,here
knee,Protocol Name,en,,,,here
knee+ankle 2 views,StudyDescription,en,ankle + knee,ap+lateral,,here
"""


def test_texts_are_counted_by_language_and_by_how_they_were_understood(tmp_path: Path) -> None:
    path = tmp_path / "texts.csv"
    path.write_text(TABLE)

    counts = coverage(read_texts(path))

    german = counts["de", "region"]
    assert german.outcomes == {"right": 1, "nothing": 1, "wrong": 1, "in part": 1}
    assert counts["de", "view"].outcomes == {"right": 1} and counts["de", "side"].outcomes == {"right": 1}
    assert counts["en", "region"].outcomes == {"right": 1} and counts["en", "region"].invented == 1
    assert counts["all", "region"].total == 5
    assert "'Ellenbogen' says hand, understood elbow" in report(counts, missed=True)


def test_the_command_prints_a_line_for_each_language_and_kind(tmp_path: Path) -> None:
    path = tmp_path / "texts.csv"
    path.write_text(TABLE)

    printed = subprocess.run(
        [sys.executable, "-m", "mskmodel.evidence.coverage", str(path)], capture_output=True, text=True, check=True
    ).stdout

    assert [line.split()[:3] for line in printed.splitlines()[1:]] == [
        ["de", "model's", "4"],
        ["de", "region", "4"],
        ["de", "side", "1"],
        ["de", "view", "1"],
        ["en", "model's", "1"],
        ["en", "region", "1"],
        ["en", "side", "0"],
        ["en", "view", "1"],
        ["all", "model's", "5"],
        ["all", "region", "5"],
        ["all", "side", "1"],
        ["all", "view", "2"],
    ]


def test_most_of_what_hospitals_wrote_is_understood_and_little_of_it_wrongly() -> None:
    counts = coverage(read_texts(HELD_OUT))
    for kind, least, most in ((MODEL, 0.85, 0.02), ("view", 0.75, 0.05), ("side", 0.8, 0.02)):
        found = counts["all", kind]
        assert found.total > 150
        assert found.outcomes["right"] >= least * found.total, kind
        assert found.outcomes["wrong"] <= most * found.total, kind
