"""What the records' databases do when they are away, damaged or closed to us is said in a sentence, and waited for."""

from pathlib import Path

import pytest

from tests.integration.records.conftest import Site
from tests.postgresql import PostgreSql
from tests.servers import Orthanc
from tests.waiting import until
from workers.records.database import FILE, LOCK
from workers.sentences import sentence_of
from workers.settings import InvalidSetting, Settings
from workers.surroundings import OK, WARNING
from workers.surroundings.records import look_at_records


@pytest.fixture
def stopped(postgresql_server: PostgreSql, postgresql_place: str) -> PostgreSql:
    assert postgresql_place == postgresql_server.url
    return postgresql_server


def site_of(server: Orthanc, broker_url: str, place: str | Path) -> Site:
    return Site(server, broker_url, str(place))


def test_a_server_that_goes_away_is_waited_for(
    records_orthanc: Orthanc, records_broker: str, stopped: PostgreSql
) -> None:
    site = site_of(records_orthanc, records_broker, stopped.url)
    site.delete(site.orthanc.instance_ids(0, 100_000))
    site.broker.flushall()
    with site.keeping() as process:
        until(lambda: site.shows([]))
        site.engine.dispose()
        stopped.stop()
        try:
            assert process.stderr is not None
            said = next(line for line in process.stderr if "records-wait" in line)
        finally:
            stopped.start()
        assert "the records" in said and "Traceback" not in said
        stored = site.store("a")
        until(lambda: site.shows(stored))
        process.terminate()
        assert process.wait(20) == 0
    site.engine.dispose()


def test_a_database_that_is_no_database_is_said_to_be_damaged(
    records_orthanc: Orthanc, records_broker: str, tmp_path: Path
) -> None:
    (tmp_path / FILE).write_text("Quincy^Anna " * 1000)
    site = site_of(records_orthanc, records_broker, tmp_path)
    done = site.msk("records", "rebuild")
    assert done.returncode == 1
    assert "the records are damaged: restore them from a backup" in done.stderr
    assert "Quincy" not in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("part", "instead", "said"),
    [
        ("secret@", "wrong@", "the records refuse user or password: correct MSK_RECORDS"),
        ("/records", "/nothing", "the records are not there: is the database that MSK_RECORDS names made"),
        ("127.0.0.1", "nowhere.invalid", "the records do not answer: their host's name is not known"),
    ],
)
def test_what_a_server_refuses_is_said_without_the_password(
    records_orthanc: Orthanc, records_broker: str, postgresql_server: PostgreSql, part: str, instead: str, said: str
) -> None:
    place = postgresql_server.url.replace(part, instead)
    done = site_of(records_orthanc, records_broker, place).msk("records", "rebuild")
    assert done.returncode == 1
    assert said in done.stderr
    assert "secret" not in done.stderr and "wrong" not in done.stderr


def test_the_doctor_says_what_is_wrong(site: Site) -> None:
    settings = Settings.from_environment(site.environment)
    assert all(finding.status == OK for finding in look_at_records(settings))
    assert site.msk("records", "rebuild").returncode == 0
    assert "tables 0002" in [finding.detail for finding in look_at_records(settings)][-1]
    with site.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    assert [finding.status for finding in look_at_records(settings)][-1] == WARNING


def test_only_the_owner_may_read_sqlite(records_orthanc: Orthanc, records_broker: str, tmp_path: Path) -> None:
    site = site_of(records_orthanc, records_broker, tmp_path / "a?b%20 c")
    assert site.msk("records", "rebuild").returncode == 0
    assert (tmp_path / "a?b%20 c").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "a?b%20 c" / FILE).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "a?b%20 c" / LOCK).exists()


@pytest.mark.parametrize("place", ["mysql://u:hush@h/d", "postgresql://u:hush@h", "postgresql://u:hush@h:0/d"])
def test_another_kind_of_address_is_refused_without_its_password(place: str) -> None:
    environment = {
        "MSK_ORTHANC_URL": "http://pacs:8042",
        "MSK_ORTHANC_USER": "u",
        "MSK_ORTHANC_PASSWORD": "p",
        "MSK_BROKER_URL": "redis://b/0",
        "MSK_RECORDS": place,
    }
    with pytest.raises(InvalidSetting, match="a folder, or an address like postgresql") as refused:
        Settings.from_environment(environment)
    assert "hush" not in str(refused.value) and sentence_of(refused.value)


def test_a_command_that_needs_the_records_names_the_variable(site: Site) -> None:
    done = Site(site.server, site.broker_url, "").msk("records", "run")
    assert done.returncode == 1 and "MSK_RECORDS is not set" in done.stderr
