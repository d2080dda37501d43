"""A truth that is set through us is in the journal before it is on Orthanc, whoever dies or is away when."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import MetaData, insert, select, text

from mskmodel.labels import KEYS
from tests.deliveries import signed
from tests.faulty_pacs import HANGS, faulty_pacs
from tests.integration.records.conftest import Site
from tests.integration.records.in_process import follow
from tests.integration.records.truth_history import (
    TOKEN,
    audited,
    deleted,
    entries,
    file,
    gateway,
    journal_of,
    msk,
    put_foreign,
    rle,
    saying,
    store,
    summary,
    truth,
)
from tests.postgresql import PostgreSql
from tests.servers import Orthanc
from tests.waiting import until
from workers.metadata.outcome import TRUTH
from workers.metadata.truth import TruthConflict
from workers.metadata.truth_changes import set_truth
from workers.pacs import OrthancClient
from workers.records import completing
from workers.records.schema import migrate, tables

#: Seconds that a process may take to start, on a busy machine.
START = 120
SAID = {"label": "knee_ap", "author": "anna"}


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """An open entry is not left to whoever made it."""
    monkeypatch.setattr(completing, "PATIENCE_SECONDS", -5)


def with_tables(site: Site) -> Site:
    with site.engine.connect() as connection:
        migrate(connection)
    return site


def test_a_truth_set_by_command_goes_through_the_gateway_into_the_journal(site: Site, tmp_path: Path) -> None:
    stored, other = store(with_tables(site), file("a")), store(site, file("b"))
    with gateway(site) as client:
        reach = {"MSK_GATEWAY_URL": str(client.base_url), "MSK_API_TOKEN": TOKEN, "MSK_RECORDS": ""}
        for arguments in (
            ("truth", "set", stored, "knee_ap", "--author", "anna"),
            ("truth", "set", stored, "wrist_ap", "--author", "ben", "--new-class", "wrist_ap"),
            ("truth", "withdraw", stored, "--author", "anna"),
        ):
            done = msk(site, *arguments, **reach)
            assert done.exit_code == 0, done.stderr
        table = tmp_path / "truths.csv"
        table.write_text(f"instance,label\n{other},none\n")
        done = msk(site, "truth", "import", str(table), "--author", "carl", **reach)
        assert done.stdout == "1 of 1 truths are set\n", done.stderr
        unknown = msk(site, "truth", "withdraw", "0" * 8 + "-" + "-".join(["0" * 8] * 4), "--author", "a", **reach)
        assert unknown.stderr == "Error: Orthanc holds no such instance\n"
        kept = [("knee_ap", "set", "written"), ("wrist_ap", "set", "written"), (None, "set", "written")]
        assert summary(site) == [*kept, ("none", "set", "written")]
        first, second, *_ = entries(site)
        assert first["before"] is None and second["before"]["label"] == "knee_ap"
        assert len(first["pixel_hashes"][0]) == 32 and first["sop_instance"].startswith("2.25.")
        assert audited(site)[:2] == [("anna", "truth set"), ("ben", "truth set")]
        found = json.loads(msk(site, "records", "journal", "--json", "--count", "0", **reach).stdout)
        assert [each["id"] for each in found] == [4, 3, 2, 1]
        assert [each["id"] for each in client.get("/api/records/journal?count=2&before=4").json()] == [3, 2]
        done = msk(site, "records", "journal", "--instance", other, **reach)
        assert done.stdout.split()[1:] == [other, "none", "carl", "set", "written"]
        exported = tmp_path / "log.csv"
        assert msk(site, "records", "audit-log", "--csv", str(exported), "--count", "0", **reach).exit_code == 0
        with exported.open(newline="") as lines:
            rows = list(csv.DictReader(lines))
        assert [row["actor"] for row in rows] == ["carl", "anna", "ben", "anna"]
        assert json.loads(rows[0]["details"])["label"] == "none"
        follow(site)
        assert len(entries(site)) == 4, "what was set through us is not met"


def test_a_site_with_records_needs_the_way_through_the_gateway(site: Site) -> None:
    stored = store(site, file("a"))
    done = msk(site, "truth", "set", stored, "knee_ap", "--author", "anna")
    assert done.exit_code == 1 and "MSK_GATEWAY_URL is not set" in done.stderr
    assert truth(site, stored) is None
    dead = {"MSK_GATEWAY_URL": "http://127.0.0.1:1", "MSK_API_TOKEN": "t"}
    done = msk(site, "truth", "set", stored, "knee_ap", "--author", "anna", **dead)
    assert done.exit_code == 1 and "the gateway at http://127.0.0.1:1 does not answer: nobody listens" in done.stderr


def test_without_records_truths_are_on_orthanc_alone_until_they_are_met(site: Site) -> None:
    stored = store(site, file("a"))
    without = {"MSK_RECORDS": ""}
    assert msk(site, "truth", "set", stored, "knee_ap", "--author", "anna", **without).exit_code == 0
    with gateway(site, without) as client:
        said = client.put(f"/api/instances/{stored}/truth", json={"label": "hand_ap", "author": "ben"})
        assert said.status_code == 200
        refused = client.get("/api/records/journal")
        assert (refused.status_code, "MSK_RECORDS is not set" in refused.json()["detail"]) == (503, True)
    follow(site)
    assert summary(site) == [("hand_ap", "met", "written")]
    assert [each["author"] for each in entries(site)[0]["truth"]["history"]] == ["anna"]


def test_without_tables_a_truth_is_refused_and_nothing_is_written(site: Site) -> None:
    stored = store(site, file("a"))
    with gateway(site) as client:
        refused = client.put(f"/api/instances/{stored}/truth", json=SAID)
    assert (refused.status_code, "msk records run" in refused.json()["detail"]) == (503, True)
    assert TRUTH not in site.orthanc.metadata(stored)


def test_with_the_database_away_a_truth_is_refused_and_nothing_is_written(
    records_orthanc: Orthanc, records_broker: str, postgresql_server: PostgreSql, postgresql_place: str
) -> None:
    site = with_tables(Site(records_orthanc, records_broker, postgresql_place))
    stored = store(site, file("away"))
    site.engine.dispose()
    with gateway(site) as client:
        assert client.put(f"/api/instances/{stored}/truth", json=SAID).status_code == 200
        postgresql_server.stop()
        try:
            for answer in (
                client.put(f"/api/instances/{stored}/truth", json=SAID | {"label": "hand_ap"}),
                client.delete(f"/api/instances/{stored}/truth", params={"author": "ben"}),
            ):
                assert (answer.status_code, "the records" in answer.json()["detail"]) == (503, True)
        finally:
            postgresql_server.start()
        now = truth(site, stored)
        assert now and (now.label, now.history) == ("knee_ap", ())
        again = client.put(f"/api/instances/{stored}/truth", json=SAID | {"label": "hand_ap"})
        assert again.status_code == 200, again.text
    assert [each["label"] for each in entries(site)] == ["knee_ap", "hand_ap"]
    site.engine.dispose()


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("meanwhile", ["nothing", "somebody else", "deleted"])
def test_what_a_killed_process_left_open_is_completed_or_closed(site: Site, meanwhile: str) -> None:
    stored = store(with_tables(site), file("a"))
    with faulty_pacs(site.server.url) as pacs:
        pacs.spoil(HANGS, method="PUT", parts=(TRUTH,))
        with saying(site, pacs.url, stored, "knee_ap", "anna") as process:
            until(lambda: entries(site), START)
            process.kill()
    assert truth(site, stored) is None
    assert summary(site) == [("knee_ap", "set", None)]
    if meanwhile == "somebody else":
        put_foreign(site, stored, "hand_ap")
    elif meanwhile == "deleted":
        site.delete([stored])
    follow(site)
    follow(site)
    if meanwhile == "nothing":
        found = truth(site, stored)
        assert found and (found.label, found.author) == ("knee_ap", "anna")
        assert site.orthanc.metadata(stored)["MskLabel"] == "knee_ap"
        assert summary(site) == [("knee_ap", "set", "written")]
    elif meanwhile == "deleted":
        assert summary(site) == [("knee_ap", "set", "overtaken")]
    else:
        found = truth(site, stored)
        assert found and found.label == "hand_ap"
        assert summary(site) == [("knee_ap", "set", "overtaken"), ("hand_ap", "met", "written")]


def test_what_a_killed_records_process_left_open_is_completed_once(site: Site) -> None:
    old = store(with_tables(site), file("a"))
    set_truth(site.orthanc, old, "knee_ap", "anna", KEYS, journal_of(site))
    follow(site)
    site.delete([old])
    with faulty_pacs(site.server.url) as pacs:
        pacs.spoil(HANGS, method="PUT", parts=(TRUTH,))
        with site.keeping(MSK_ORTHANC_URL=pacs.url) as process:
            new = store(site, rle(file("a"), "b"))
            until(lambda: entries(site, new), START)
            process.kill()
    assert summary(site, new) == [("knee_ap", "carried over", None)] and truth(site, new) is None
    with site.keeping():
        until(lambda: summary(site, new) == [("knee_ap", "carried over", "written")], START)
    found = truth(site, new)
    assert found and (found.label, found.author) == ("knee_ap", "anna")


@pytest.mark.usefixtures("at_once")
def test_two_that_say_something_at_once_are_told_apart(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = store(with_tables(site), file("a"))
    replace_metadata = OrthancClient.replace_metadata

    def too_late(orthanc: OrthancClient, *arguments: Any) -> None:
        monkeypatch.undo()
        put_foreign(site, stored, "hand_ap")
        replace_metadata(orthanc, *arguments)

    monkeypatch.setattr(OrthancClient, "replace_metadata", too_late)
    with pytest.raises(TruthConflict):
        set_truth(site.orthanc, stored, "knee_ap", "anna", KEYS, journal_of(site))
    follow(site)
    assert summary(site) == [("knee_ap", "set", "overtaken"), ("hand_ap", "met", "written")]


def test_what_is_set_while_the_process_looks_is_neither_foreign_nor_deleted(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = store(with_tables(site), file("a"))
    set_truth(site.orthanc, stored, "knee_ap", "anna", KEYS, journal_of(site))
    look = OrthancClient.stored

    def look_and_say(orthanc: OrthancClient, instance_ids: Any) -> Any:
        monkeypatch.undo()
        found = look(orthanc, instance_ids)
        set_truth(site.orthanc, stored, "hand_ap", "ben", KEYS, journal_of(site))
        return found

    site.orthanc.put_metadata(stored, "MskLabel", "knee_ap")
    monkeypatch.setattr(OrthancClient, "stored", look_and_say)
    follow(site)
    follow(site)
    assert summary(site) == [("knee_ap", "set", "written"), ("hand_ap", "set", "written")]


def test_an_entry_that_orthanc_refuses_does_not_hold_up_the_others(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    stuck, other = store(with_tables(site), file("a")), store(site, file("b", seed=2))
    for each in (stuck, other):
        set_truth(site.orthanc, each, "knee_ap", "anna", KEYS, journal_of(site))
    follow(site)
    site.delete([stuck, other])
    with faulty_pacs(site.server.url) as pacs:
        direct = site.orthanc
        proxied = OrthancClient(pacs.url, site.server.user, site.server.password)
        monkeypatch.setitem(site.__dict__, "orthanc", proxied)
        again, others = store(site, file("c")), store(site, file("d", seed=2))
        pacs.spoil(500, method="PUT", parts=(f"{again}/metadata/{TRUTH}",))
        follow(site)
        follow(site)
        assert truth(site, again) is None
        found = truth(site, others)
        assert found and found.label == "knee_ap"
        pacs.heal()
        follow(site)
        proxied.close()
        monkeypatch.setitem(site.__dict__, "orthanc", direct)
    found = truth(site, again)
    assert found and found.label == "knee_ap"


def test_names_and_times_that_are_none_are_not_kept(site: Site) -> None:
    """Other software may have written anything into the metadata."""
    stored = store(site, file("a"))
    hostile = {"label": "knee_ap", "author": "Quincy\0" + "x" * 300, "time": ["Quincy"] * 100, "patient": "Quincy"}
    site.orthanc.put_metadata(stored, TRUTH, json.dumps(hostile))
    follow(site)
    follow(site)
    assert summary(site) == [("knee_ap", "met", "written")]
    assert "Quincy" not in json.dumps(entries(site))


def test_a_deletion_that_is_told_of_drops_the_row_at_once(site: Site) -> None:
    stored, kept = store(site, file("a")), store(site, file("b"))
    follow(site)
    site.delete([stored])
    with gateway(site) as client:
        for each in (stored, kept):  # the other one has been stored again since
            event = deleted(each)
            assert client.post("/hooks/orthanc", content=event, headers=signed(event)).status_code == 202
    follow(site, 1)
    assert set(site.rows()) == {kept}
    assert site.broker.keys("msk:records:deleted") == []
    assert site.broker.keys("msk:entry:*") == [], "a deletion is no work for label workers"


def take_back_to_first_revision(site: Site) -> None:
    """The tables as that revision makes them, with what it would hold of the rows of now."""
    first = MetaData()
    with site.engine.begin() as connection:
        held = {name: connection.execute(select(table)).mappings().all() for name, table in tables.tables.items()}
        tables.drop_all(connection)
        connection.execute(text("DROP TABLE alembic_version"))
        configuration = Config()
        configuration.set_main_option("script_location", "workers.records:migrations")
        configuration.attributes["connection"] = connection
        command.upgrade(configuration, "0001")
        first.reflect(connection)
        for name in held.keys() & first.tables.keys():
            table = first.tables[name]
            for row in held[name]:
                connection.execute(insert(table).values({column.name: row[column.name] for column in table.columns}))


def test_truths_of_before_the_journal_are_met_after_the_upgrade(site: Site) -> None:
    stored = store(site, file("a"))
    put_foreign(site, stored, "hand_ap")
    follow(site)
    take_back_to_first_revision(site)
    follow(site)
    assert summary(site) == [("hand_ap", "met", "written")]
    assert site.rows()[stored]["pixel_hash"]
