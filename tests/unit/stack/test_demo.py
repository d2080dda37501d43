"""The demo tells what it sees in Orthanc's metadata, no more and no less."""

import io
import time
from pathlib import Path
from typing import Any, cast

from rich.console import Console

from workers.metadata.outcome import Outcome
from workers.pacs import OrthancClient
from workers.stack.demo import Radiograph, follow, real_radiographs, summary, table


class Metadata:
    """A stand-in for the client: the metadata of each instance, by number of the poll."""

    def __init__(self, *looks: dict[str, Outcome]) -> None:
        self.looks = list(looks)
        self.asked: list[list[str]] = []

    def metadata_of(self, instance_ids: list[str]) -> dict[str, dict[str, str]]:
        self.asked.append(instance_ids)
        found = self.looks.pop(0) if self.looks else {}
        return {i: {"MskPrediction": found[i].to_json()} if i in found else {} for i in instance_ids}


def outcome(status: str = "labelled", **fields: Any) -> Outcome:
    return Outcome(status, "0" * 32, 1, labelled_at="2026-01-01T00:00:01.250+00:00", **fields)


def radiograph(name: str, truth: str | None = "knee_ap") -> Radiograph:
    stored = 1767225601.0  # 2026-01-01T00:00:01Z
    return Radiograph(Path(f"{name}.dcm"), name, truth, instance_id=name, stored=stored)


def shown(*radiographs: Radiograph) -> str:
    console = Console(file=io.StringIO(), width=160)
    console.print(table(radiographs))
    return cast(io.StringIO, console.file).getvalue()


def looks(radiographs: list[Radiograph], metadata: Metadata, patience: float = 30) -> int:
    return sum(1 for _ in follow(radiographs, cast(OrthancClient, metadata), patience))


def test_it_follows_until_every_radiograph_has_an_outcome_and_asks_only_for_those_without() -> None:
    first, second = radiograph("first"), radiograph("second")
    metadata = Metadata({}, {"first": outcome(label="knee_ap")}, {"second": outcome("failed", reason="broken")})
    looks([first, second], metadata)
    assert metadata.asked == [["first", "second"], ["first", "second"], ["second"]]
    assert first.outcome is not None
    assert second.outcome is not None


def test_it_gives_up_when_nothing_changes_for_a_while() -> None:
    lost = radiograph("lost")
    started = time.monotonic()
    looks([lost], Metadata(), patience=0.3)
    assert 0.2 < time.monotonic() - started < 5
    assert lost.outcome is None
    assert summary([lost]) == "0 of 1 have an outcome: ; 0 right"


def test_it_says_what_an_earlier_demo_had_labelled() -> None:
    new, old = radiograph("new"), radiograph("old")
    new.outcome = old.outcome = outcome(label="knee_ap")
    new.sent, old.sent = 1767225601.0, 1767225602.0  # the label came in between
    assert summary([new]).count("\n") == 0
    assert "\n1 were stored and labelled by an earlier demo" in summary([new, old])


def test_it_does_not_wait_for_what_was_never_stored() -> None:
    refused = Radiograph(Path("a.dcm"), "a", None, refused="the receiver is full")
    looks([refused], Metadata())
    assert "not stored: the receiver is full" in shown(refused)


def test_a_label_is_right_when_it_is_the_truth_and_an_abstention_where_there_is_none() -> None:
    right, wrong, abstained = radiograph("a"), radiograph("b"), radiograph("c")
    chest, labelled_chest, broken_chest = (radiograph(name, truth=None) for name in "def")
    right.outcome, wrong.outcome = outcome(label="knee_ap"), outcome(label="elbow_ap")
    abstained.outcome = chest.outcome = outcome("needs-review", reason="low confidence")
    labelled_chest.outcome, broken_chest.outcome = outcome(label="elbow_ap"), outcome("failed")
    everything = [right, wrong, abstained, chest, labelled_chest, broken_chest]
    assert [r.right for r in everything] == [True, False, False, True, False, False]
    assert summary(everything) == "6 of 6 have an outcome: 1 failed, 3 labelled, 2 needs-review; 2 right"


def test_the_table_shows_header_label_confidence_milliseconds_and_status() -> None:
    knee = radiograph("0a1b2c3d-4e5f")
    header = {"body_part": "KNEE", "view_position": "AP", "laterality": "L"}
    knee.outcome = outcome(label="knee_ap", confidence=0.987, header=header)
    row = shown(knee).splitlines()[1].split()
    assert row == ["0a1b2c3d", "0a1b2c3d-4e5f", "KNEE", "AP", "knee_ap", "99%", "250", "labelled"]


def test_what_an_earlier_demo_had_labelled_has_no_milliseconds() -> None:
    knee = radiograph("knee")
    knee.outcome = outcome(label="knee_ap")
    knee.sent = knee.stored = 1767229200.0
    assert knee.milliseconds is None


def test_a_label_that_was_there_before_the_acknowledgement_took_no_time() -> None:
    knee = radiograph("knee")
    knee.outcome = outcome(label="knee_ap")
    knee.sent, knee.stored = 1767225601.0, 1767225601.3
    assert (knee.milliseconds, knee.earlier) == (0.0, False)


def test_the_real_radiographs_are_on_this_machine() -> None:
    shown = {(r.shows.split(",")[1], r.truth) for r in real_radiographs()}
    assert shown == {(" chest", None), (" lower leg", "lower_leg")}
    assert all(r.file.stat().st_size > 100_000 for r in real_radiographs())
