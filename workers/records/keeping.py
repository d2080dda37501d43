"""The process that keeps the records: one for a site. It follows Orthanc, carries over what people said, and says what
the headers are worth.

It gives way to intake: each step is followed by a pause that grows with what the step took of Orthanc's time.
"""

import logging
import threading
import time
from typing import Any

from kombu.exceptions import OperationalError
from redis import RedisError
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from workers.broker.celery_app import publisher
from workers.broker.database import client
from workers.broker.queues import BACKFILL
from workers.ledger import Ledger, enqueue
from workers.pacs import OrthancClient, OrthancError
from workers.records import index
from workers.records.database import open_database, the_only_one
from workers.records.deletions import Deletions
from workers.records.following import Follower, Step
from workers.records.heartbeat import Heartbeat
from workers.records.kept_secret import agreed_secret
from workers.records.learning import Learner
from workers.records.schema import migrate
from workers.sentences import sentence_of
from workers.settings import MissingSetting, Settings

__all__ = ["Keeper"]

#: Seconds between two steps when nothing has happened.
PAUSE = 0.5
#: Pause after a step, as a multiple of its own time: a fifth of the time is spent on following, half while in a hurry.
WAY, WAY_IN_A_HURRY = 4.0, 1.0
#: Seconds until something that is away is tried again, and between two looks at whether it is this process's turn.
RETRY_SECONDS = 2.0
#: Seconds between two signs of life.
BEAT_SECONDS = 5.0
#: Timeout of the broker's answers in seconds.
ANSWER_SECONDS = 10

log = logging.getLogger(__name__)


class Keeper:
    """Keeps the records of the site that the settings name.

    Raises:
        MissingSetting: the settings do not say where the records are.
        OSError: their folder cannot be made or written to.
    """

    def __init__(self, settings: Settings) -> None:
        if settings.records is None:
            raise MissingSetting("MSK_RECORDS")
        self._engine = open_database(settings.records)
        self._orthanc = OrthancClient.of(settings)
        self._broker: Any = client(settings.broker_url, settings.trust, ANSWER_SECONDS)
        self._ledger, self._celery = Ledger.of(settings), publisher(settings)
        self._issuer, self._told = settings.patient_issuer or "", ""

    def keep(self, stop: threading.Event) -> None:
        """Keep them until asked to stop; what is away is waited for, and so is another process that keeps them.

        Raises:
            RecordsError: a newer version has written them.
        """
        while not stop.is_set():
            try:
                with the_only_one(self._engine) as connection:
                    if connection is not None:
                        self._follow(connection, stop)
                        return
                reason = "another process keeps the records"
            except (OrthancError, OperationalError, RedisError, SQLAlchemyError) as error:
                reason = sentence_of(error) or ""
                if not reason:
                    raise
            self._tell(f"records-wait {reason}")
            stop.wait(RETRY_SECONDS)

    def _follow(self, connection: Connection, stop: threading.Event) -> None:
        migrate(connection)
        secret = agreed_secret(connection, self._broker)
        follower = Follower(connection, self._orthanc, secret, Deletions(self._broker), self._issuer)
        learner = Learner(connection, self._broker)
        next_beat = 0.0
        while not stop.is_set():
            began = time.monotonic()
            step = follower.step()
            enqueue(self._celery, self._ledger, step.unread, BACKFILL)
            if began >= next_beat:
                self._beat(connection, step)
                learner.publish_again()
                next_beat = began + BEAT_SECONDS
            self._tell("records-followed")
            took = time.monotonic() - began
            learner.step(step.with_claims)
            way = took * (WAY_IN_A_HURRY if step.position.hurried else WAY)
            stop.wait(way if step.is_behind else max(PAUSE, way))

    def _beat(self, connection: Connection, step: Step) -> None:
        """Show a sign of life; and the secret to a broker that has lost it."""
        agreed_secret(connection, self._broker)
        with connection.begin():
            rows = index.count(connection)
        Heartbeat.of(step.position, rows, is_behind=step.is_behind).give(self._broker)

    def _tell(self, what: str) -> None:
        """Log what the process does now, once."""
        if what != self._told:
            log.log(logging.INFO if what == "records-followed" else logging.WARNING, what)
            self._told = what
