"""The tables of the records, as the migrations leave them.

Texts are without limits: what is put in is checked before (`row.py`), and SQLite would not hold to them. Times are
ISO 8601 in UTC, whole seconds, so that their order as texts is theirs.
"""

from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    text,
)

if TYPE_CHECKING:
    from alembic.config import Config

__all__ = [
    "RecordsError",
    "audit_log",
    "evidence",
    "instances",
    "journal",
    "journal_ends",
    "migrate",
    "pictures",
    "position",
    "revisions",
    "secrets",
    "tables",
]

#: Number of the lock in PostgreSQL that a migration holds: "MSKM".
MIGRATING = 0x4D534B4D


class RecordsError(Exception):
    """The records cannot be used as they are. The message says why, for people."""


tables = MetaData()


def _where(condition: str) -> dict[str, Any]:
    """Only rows of which that holds are in the index."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


#: The index: a row for each instance that Orthanc holds, made anew from Orthanc whenever that is wanted.
instances = Table(
    "instances",
    tables,
    Column("instance", Text, primary_key=True),
    Column("series", Text, nullable=False),
    Column("study", Text, nullable=False),
    Column("patient", Text, nullable=False),
    Column("study_uid", Text),
    Column("series_uid", Text),
    Column("sop_instance", Text),
    Column("studied_at", Text),
    Column("modality", Text),
    Column("issuer", Text),
    Column("stored_at", Text, nullable=False),
    Column("status", Text),
    Column("label", Text),
    Column("probability", Float),
    Column("model", Text),
    Column("region", Text),
    Column("view", Text),
    Column("side", Text),
    Column("disagreement", Float),
    Column("pixels", JSON(none_as_null=True)),
    Column("claims", JSON(none_as_null=True)),
    Column("group", Text),
    Column("truth", Text),
    Column("attachment", Text),
    Column("pixel_hash", Text),
    Column("shown", Text),
    Column("reason", Text),
    Column("labelled_at", Text),
    Column("doubt", Float),
    Column("unlike", Boolean),
    Column("updated_at", Text, nullable=False),
    Index("instances_stored_at", "stored_at", "instance"),
    Index("instances_shown", "shown", "stored_at", "instance"),
    Index("instances_status", "status", "stored_at", "instance"),
    Index("instances_reason", "status", "reason", "stored_at", "instance", **_where("reason IS NOT NULL")),
    Index("instances_disagreeing", "stored_at", "instance", **_where("disagreement > 0.5")),
    Index("instances_labelled_at", "labelled_at"),
    Index("instances_model", "model"),
    Index("instances_truth", "truth", "instance", **_where("truth IS NOT NULL")),
    Index("instances_study", "study"),
    Index("instances_patient", "patient"),
    Index("instances_study_uid", "study_uid"),
    Index("instances_series_uid", "series_uid"),
    Index("instances_sop_instance", "sop_instance"),
    Index("instances_doubt", "unlike", "doubt"),
    Index("instances_disagreement", "disagreement"),
)

#: How far the one process has come: one row.
position = Table(
    "position",
    tables,
    Column("id", Integer, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("changes", BigInteger, nullable=False),
    Column("walked", BigInteger, nullable=False),
    Column("checked", Text),
    Column("rounds", BigInteger, nullable=False),
    Column("hurried", Boolean, nullable=False),
    Column("restored", Boolean, nullable=False),
)

#: What the site's hashes are keyed with.
secrets = Table("secrets", tables, Column("name", Text, primary_key=True), Column("value", Text, nullable=False))

#: What the site's headers are worth, as it was published last: one row.
evidence = Table(
    "evidence",
    tables,
    Column("id", Integer, primary_key=True),
    Column("publication", JSON, nullable=False),
)

#: SQLite numbers the rows of such a column by itself.
_Number = BigInteger().with_variant(Integer, "sqlite")

#: The journal of truths (`journal.py`). Like the three tables below, it only ever grows.
journal = Table(
    "journal",
    tables,
    Column("id", _Number, primary_key=True),
    Column("time", Text, nullable=False),
    Column("instance", Text, nullable=False),
    Column("sop_instance", Text, nullable=False),
    Column("file", Text, nullable=False),
    Column("label", Text),
    Column("author", Text, nullable=False),
    Column("said_at", Text, nullable=False),
    Column("truth", JSON(none_as_null=True)),
    Column("before", JSON(none_as_null=True)),
    Column("origin", Text, nullable=False),
    Column("source", Text),
    Column("reason", Text),
    Index("journal_instance", "instance"),
    Index("journal_file", "file"),
)

#: How each entry of the journal ended; an entry without one is open.
journal_ends = Table(
    "journal_ends",
    tables,
    Column("entry", _Number, ForeignKey("journal.id"), primary_key=True, autoincrement=False),
    Column("end", Text, nullable=False),
    Column("time", Text, nullable=False),
)

#: What the pixels of files that the journal names hash to: more than one where another version has read them since.
pictures = Table(
    "pictures",
    tables,
    Column("file", Text, primary_key=True),
    Column("pixel_hash", Text, primary_key=True),
    Index("pictures_pixel_hash", "pixel_hash"),
)

#: Who did what to what, and when.
audit_log = Table(
    "audit_log",
    tables,
    Column("id", _Number, primary_key=True),
    Column("time", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("details", JSON, nullable=False),
)


def migrate(connection: Connection) -> None:
    """Bring the tables to what this version needs, in one transaction. Several processes may do so at once.

    Raises:
        RecordsError: a newer version has written them.
    """
    from alembic import command  # which the gateway, a user of the tables, need not load
    from alembic.util.exc import CommandError

    configuration = _configuration()
    with connection.begin():
        if connection.dialect.name == "postgresql":  # SQLite's transaction has the one lock already
            connection.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATING})"))
        configuration.attributes["connection"] = connection
        try:
            command.upgrade(configuration, "head")
        except CommandError:
            raise RecordsError(
                "the records were written by a newer version: use that one, or restore them from a backup"
            ) from None


def revisions(connection: Connection) -> tuple[str | None, str | None]:
    """The revision of the tables, None where there are none yet, and the one that this version needs."""
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    with connection.begin():
        present = MigrationContext.configure(connection).get_current_revision()
    return present, ScriptDirectory.from_config(_configuration()).get_current_head()


def _configuration() -> "Config":
    from alembic.config import Config

    configuration = Config()
    configuration.set_main_option("script_location", "workers.records:migrations")
    return configuration
