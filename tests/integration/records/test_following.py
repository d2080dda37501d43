"""The index follows Orthanc, whoever is killed when, on SQLite and on PostgreSQL."""

from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from mskmodel.dicom.writing import Header, radiograph_dataset
from tests.integration.records.conftest import Site
from tests.integration.records.in_process import follow
from tests.integration.records.outcomes import CLAIMS, PIXELS, label
from tests.waiting import until
from workers.metadata.outcome import TRUTH
from workers.metadata.truth import Statement, Truth
from workers.records import following, index
from workers.records.access_tables import accounts
from workers.records.database import the_only_one
from workers.records.position import Overtaken, begin_anew, move, read_position
from workers.records.schema import RecordsError, migrate, tables

#: What the index and Orthanc name alike.
SAID = ("series", "study", "study_uid", "series_uid", "sop_instance", "modality")


def test_a_row_says_what_orthanc_says(site: Site) -> None:
    (instance_id,) = site.store("a")
    told = {"study": "s", "disagreement": 0.25, "pixel_hash": "a" * 32, "labelled_at": "2026-11-28T10:00:01.5+01:00"}
    label(site, instance_id, pixels=PIXELS, claims=CLAIMS, **told)
    site.orthanc.put_metadata(instance_id, TRUTH, Truth(Statement("elbow_ap", "anna", "2026-11-28")).to_json())
    follow(site)
    row = site.rows()[instance_id]
    above = site.orthanc.above([instance_id])[instance_id]
    assert [row[name] for name in SAID] == [getattr(above, name) for name in SAID]
    assert row["patient"] != above.patient and len(row["patient"]) == 16
    received = site.orthanc.metadata(instance_id)["ReceptionDate"]
    assert row["stored_at"].replace("-", "").replace(":", "").startswith(received)
    assert row | dict.fromkeys((*SAID, "patient", "stored_at"), "") == dict.fromkeys(SAID, "") | {
        "instance": instance_id,
        "patient": "",
        "studied_at": None,
        "issuer": "",
        "stored_at": "",
        "status": "labelled",
        "label": "elbow_lateral",
        "probability": 0.9,
        "model": "20261128-0a1b2c3d",
        "region": "elbow",
        "view": "lateral",
        "side": "L",
        "disagreement": 0.25,
        "pixels": PIXELS,
        "claims": CLAIMS,
        "group": "0123456789ab",
        "truth": "elbow_ap",
        "attachment": "0" * 32,
        "pixel_hash": "a" * 32,
        "doubt": None,
        "unlike": None,
        "shown": "elbow_ap",
        "reason": None,
        "labelled_at": "2026-11-28T09:00:01.500+00:00",
    }


def test_the_side_that_a_person_says_counts_before_the_headers(site: Site) -> None:
    said, unsaid = site.store("said", "unsaid")
    for each, side in ((said, "R"), (unsaid, "")):
        label(site, each, pixels=PIXELS, claims=CLAIMS)
        truth = Truth(Statement("elbow_ap", "anna", "2026-11-28", side=side))
        site.orthanc.put_metadata(each, TRUTH, truth.to_json())
    follow(site)
    assert CLAIMS["side"] == "L"
    assert [site.rows()[each]["side"] for each in (said, unsaid)] == ["R", "L"]


def test_who_issued_the_patients_number_is_told_apart(site: Site) -> None:
    issuers = {"a": "HOSPITAL", "b": "CLINIC", "c": "HOSPITAL", "unnamed": None}
    stored = {name: site.orthanc.upload(issued(name, issuer)) for name, issuer in issuers.items()}
    follow(site)
    rows = site.rows()
    found = {name: rows[instance_id]["issuer"] for name, instance_id in stored.items()}
    assert found["a"] == found["c"] != found["b"] and found["unnamed"] == ""
    # With the next round of the walk, those without count as issued by whom the site names.
    with site.engine.begin() as connection:
        begin_anew(connection)
    follow(site, issuer="HOSPITAL")
    assert site.rows()[stored["unnamed"]]["issuer"] == found["a"]


def issued(name: str, issuer: str | None) -> bytes:
    """An instance of a study of its own."""
    pixels = np.zeros((8, 8), np.uint16)
    ds = radiograph_dataset(pixels, header=Header(identity=name, patient_id="P-1"), bits=12)
    if issuer:
        ds.IssuerOfPatientID = issuer
    buffer = BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def test_of_an_image_without_a_label_the_region_is_indexed_if_it_is_sure(site: Site) -> None:
    seen = {"sure": ("hip", 0.6), "unsure": ("hip", 0.59), "other": ("other", 0.9), "odd": ("Quincy^Anna", 1.0)}
    stored = {name: site.store(name)[0] for name in seen}
    for name, region in seen.items():
        label(site, stored[name], label=None, status="needs-review", region=region)
    follow(site)
    found = {name: site.rows()[stored[name]]["region"] for name in seen}
    assert found == {"sure": "hip", "unsure": None, "other": None, "odd": None}


def test_an_outcome_without_evidence_is_indexed_with_what_it_has(site: Site) -> None:
    bare, old = site.store("bare", "old")
    label(site, old)
    follow(site)
    rows = site.rows()
    assert rows[bare]["status"] is None and rows[bare]["label"] is None
    assert rows[old]["label"] == "elbow_lateral" and rows[old]["pixels"] is None and rows[old]["claims"] is None


def test_what_comes_changes_and_goes_is_followed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    first = site.store("a", "b")
    follow(site)
    assert set(site.rows()) == set(first)
    (more,) = site.store("c")
    label(site, first[0])
    assert follow(site) == 2
    assert site.rows()[first[0]]["status"] == "labelled" and more in site.rows()
    assert follow(site) == 0
    # Only the walk finds a deletion.
    site.delete([first[1]])
    monkeypatch.setattr(following, "WALK_SECONDS", 0)
    assert follow(site, 4) == 1
    assert set(site.rows()) == {first[0], more}


def test_the_walk_mends_what_no_change_told(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    instance_id, lost = site.store("a", "lost")
    follow(site)
    with site.engine.begin() as connection:
        connection.execute(text("UPDATE instances SET label = 'hand_ap' WHERE instance = :id"), {"id": instance_id})
        assert index.drop(connection, [lost]) == 1
    monkeypatch.setattr(following, "WALK_SECONDS", 0)
    assert follow(site, 1) == 2
    assert site.rows()[instance_id]["label"] is None and lost in site.rows()


def test_rebuilt_is_as_followed(site: Site) -> None:
    instance_ids = site.store("a", "b", "c", patient="P-1") + site.store("d", patient="P-2")
    for each in instance_ids[1:]:
        label(site, each, pixels=PIXELS, claims=CLAIMS)
    site.delete([instance_ids[0]])
    with site.keeping():
        until(lambda: site.shows(instance_ids[1:]))
    followed = site.rows()
    with site.engine.begin() as connection:
        connection.execute(text("UPDATE instances SET label = 'hand_ap', claims = NULL"))
        assert index.drop(connection, [instance_ids[1]]) == 1
        row = dict(followed[instance_ids[2]]) | {"instance": "gone"}
        index.put(connection, [following.Row(**row)])
    done = site.msk("records", "rebuild")
    assert done.returncode == 0 and "3 instances in the index" in done.stdout, done.stderr
    assert site.rows() == followed


def test_a_rebuild_is_done_by_the_process_that_keeps_the_records(site: Site) -> None:
    instance_ids = site.store("a", "b")
    with site.keeping():
        until(lambda: site.shows(instance_ids))
        with site.engine.begin() as connection:
            connection.execute(text("DELETE FROM instances"))
        done = site.msk("records", "rebuild")
        assert done.returncode == 0 and "2 instances in the index" in done.stdout, done.stderr
        assert set(site.rows()) == set(instance_ids)


def test_a_killed_process_goes_on_where_it_was(site: Site) -> None:
    stored: list[str] = []
    for number in range(4):
        stored += site.store(*(f"{number}-{each}" for each in range(25)))
        with site.keeping() as process:
            for each in stored[-10:]:
                label(site, each)
            # Killed whenever that is: before it connected, in the middle of a batch, or after.
            until(lambda number=number: number == 0 or len(site.rows()) > 25 * number)  # type: ignore[misc]
            process.kill()
    site.delete(stored[:5])
    with site.keeping():
        until(lambda: set(site.rows()) >= set(stored[5:]))
    assert site.msk("records", "rebuild").returncode == 0
    rows = site.rows()
    assert set(rows) == set(stored[5:])
    assert sum(row["status"] == "labelled" for row in rows.values()) == 40


def test_a_batch_that_is_not_ended_leaves_nothing(site: Site) -> None:
    site.store("a")
    follow(site)
    with the_only_one(site.engine) as connection:
        assert connection is not None
        with connection.begin():
            before = read_position(connection)
        assert before is not None
        rows = site.rows()
        with pytest.raises(Overtaken), connection.begin():
            index.drop(connection, list(rows))
            move(connection, replace(before, version=before.version - 1), before)
    assert site.rows() == rows


def test_a_rebuild_that_is_asked_for_meanwhile_is_not_lost(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    instance_ids = site.store("a", "b")
    follow(site)
    asked = site.orthanc.metadata_of

    def ask_and_have_it_rebuilt(wanted: Any) -> Any:
        monkeypatch.undo()
        with site.engine.begin() as other:
            begin_anew(other)
        return asked(wanted)

    label(site, instance_ids[0])
    monkeypatch.setattr(site.orthanc, "metadata_of", ask_and_have_it_rebuilt)
    with site.engine.begin() as connection:
        before = read_position(connection)
    assert before is not None
    follow(site)
    with site.engine.begin() as connection:
        after = read_position(connection)
    assert after is not None and after.rounds == before.rounds + 1
    assert site.rows()[instance_ids[0]]["status"] == "labelled"


def test_of_two_processes_one_waits_and_takes_over(site: Site) -> None:
    with site.keeping() as first:
        until(lambda: site.shows([]))
        with site.keeping() as second:
            assert second.stderr is not None
            assert any("records-wait another process keeps the records" in line for line in second.stderr)
            first.kill()
            stored = site.store("a")
            until(lambda: site.shows(stored))
            second.terminate()
            assert second.wait(20) == 0


def test_another_database_of_orthanc_is_noticed(site: Site) -> None:
    stored = site.store("a")
    follow(site)
    with site.engine.begin() as connection:
        connection.execute(text("UPDATE position SET changes = changes + 1000"))
        index.drop(connection, stored)
    follow(site)
    assert set(site.rows()) == set(stored)


def test_tables_come_from_nothing_and_stay(site: Site) -> None:
    with site.engine.connect() as connection:
        migrate(connection)
        migrate(connection)
        with connection.begin():
            assert index.count(connection) == 0
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        with pytest.raises(RecordsError, match="newer version"):
            migrate(connection)
    with site.keeping() as process:
        assert process.wait(60) == 1
        assert process.stderr is not None and "newer version" in process.stderr.read()


def test_the_migrations_make_the_tables_that_are_used(site: Site) -> None:
    assert accounts.metadata is tables  # those of who may are among them
    with site.engine.connect() as connection:
        migrate(connection)
        with connection.begin():
            assert compare_metadata(MigrationContext.configure(connection), tables) == []


def test_status_says_whether_a_process_lives(site: Site) -> None:
    done = site.msk("records", "status")
    assert done.returncode == 1 and "no process keeps the records" in done.stdout
    stored = site.store("a")
    with site.keeping():
        until(lambda: site.shows(stored))
        done = site.msk("records", "status")
        assert done.returncode == 0 and "1 instances in the index" in done.stdout
