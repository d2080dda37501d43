"""What instances show, by their UIDs, in both kinds of database."""

from sqlalchemy import Connection

from tests.index_rows import put, row
from workers.records.shown import Shown, Wanted, shown_by, uids_showing

SEEN = "2026-11-28T09:00:00+00:00"


def test_a_study_shows_what_its_instances_show_each_thing_once(connection: Connection) -> None:
    study = {"study_uid": "1.2.0", "model": "v1"}
    said = row(2, **study, shown="knee_lateral", truth="knee_lateral", side="R")
    put(connection, [*(row(n, **study, shown="knee_ap") for n in (0, 1)), said, row(3, shown=None, label=None)])
    found = shown_by(connection, "study_uid", ["1.2.0", "1.2.3", "1.2.9"])
    assert found["1.2.0"] == [
        Shown("knee_ap", "", "CR", "v1", SEEN),
        Shown("knee_lateral", "R", "CR", "", SEEN),
    ]
    assert found["1.2.3"] == [Shown("", modality="CR")] and "1.2.9" not in found


def test_uids_are_found_by_what_is_shown_page_by_page(connection: Connection) -> None:
    put(connection, [row(n, shown="knee_ap", side=None if n % 2 else "R") for n in range(6)])
    put(connection, [row(6, shown="hand_ap"), row(7, shown="knee_ap", modality="DX"), row(8)])
    knees = [Wanted(frozenset({"knee_ap"}), side, is_cr=True) for side in ("", "R")]
    first = uids_showing(connection, "study_uid", knees, {}, "", 4)
    assert first == [f"1.2.{n}" for n in range(4)]
    assert uids_showing(connection, "study_uid", knees, {}, first[-1], 4) == ["1.2.4", "1.2.5"]
    assert uids_showing(connection, "study_uid", knees[1:], {"series_uid": ["1.3.2", "1.3.3"]}, "", 4) == ["1.2.2"]
    assert uids_showing(connection, "series_uid", [Wanted(frozenset({"knee_ap"}), "", False)], {}, "", 4) == ["1.3.7"]
