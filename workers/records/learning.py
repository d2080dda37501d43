"""What the site's headers are worth, learned from the index again and again, kept in the records and published.

Each radiograph counts once, whether a person said what it shows or not: a truth only settles what it shows. So those
that people chose to look at, the hard ones, do not count for more than they are.
"""

import logging
import time
from collections.abc import Iterable
from typing import Any

import numpy as np
from sqlalchemy import Connection, Engine, delete, insert, select

from mskmodel.evidence.claim import Claims, is_code
from mskmodel.evidence.learning import Observation, learned
from mskmodel.evidence.reliability import Reliability
from mskmodel.tables.label_cell import NONE
from workers.evidence.published import Publication, is_published, publish
from workers.records import index
from workers.records.database import READS_ONLY
from workers.records.schema import evidence

__all__ = ["Learner", "learn"]

#: Radiographs that are learned from, the latest.
MOST = 20_000
#: Rows with claims that changed, from which on it is worth while; fewer ones wait for `PATIENCE_SECONDS`.
ENOUGH, PATIENCE_SECONDS = 20, 60.0
#: Seconds between two times, at least; and as a multiple of what one takes, so that labelling does not suffer.
LEAST_SECONDS, WAY = 10.0, 50.0

log = logging.getLogger(__name__)


class Learner:
    """Learns when enough has changed. ``connection``: of the process that keeps the records."""

    def __init__(self, connection: Connection, broker: Any) -> None:
        self._connection, self._broker = connection, broker
        self._changed = 1  # while nobody followed, anything may have changed
        self._last = time.monotonic()
        self._pause = LEAST_SECONDS

    def step(self, changed: int) -> None:
        """Learn and publish, if it is time. ``changed``: rows with claims that changed since the last call.

        Raises:
            redis.RedisError, sqlalchemy.exc.SQLAlchemyError: one of them is away.
        """
        self._changed += changed
        began = time.monotonic()
        waited = began - self._last
        if waited < self._pause or not self._changed or (self._changed < ENOUGH and waited < PATIENCE_SECONDS):
            return
        publication = learn(self._connection.engine)
        with self._connection.begin():
            self._connection.execute(delete(evidence))
            self._connection.execute(insert(evidence).values(id=1, publication=publication.to_json()))
        publish(self._broker, publication)
        self._changed, self._last = 0, time.monotonic()
        self._pause = max(LEAST_SECONDS, WAY * (self._last - began))
        log.info("evidence-learned radiographs=%d", publication.reliability.observations)

    def publish_again(self) -> None:
        """Publish what was learned last to a broker that has lost it."""
        if is_published(self._broker):
            return
        with self._connection.begin():
            kept = self._connection.scalar(select(evidence.c.publication))
        if kept is not None:
            try:
                publish(self._broker, Publication.from_json(kept))
            except ValueError:  # of another version: it is learned anew within the minute
                self._changed = max(self._changed, 1)


def learn(engine: Engine) -> Publication:
    """What the headers of the radiographs that were stored last are worth."""
    classes: tuple[str, ...] = ()
    observations: list[Observation] = []
    carriers: dict[str, str] = {}
    with engine.connect().execution_options(**READS_ONLY) as connection:
        for row in index.latest_with_claims(connection, MOST):
            named = tuple(sorted(key for key in row["pixels"] if key != NONE))
            classes = classes or named
            if named != classes:  # by a version with other classes
                continue
            claims = Claims.from_json(row["claims"])
            pixels = np.array([row["pixels"][key] for key in (*classes, NONE)])
            observations.append(Observation(pixels, claims, row["truth"] or "", patient=row["patient"]))
            carriers.update((code, row["instance"]) for code in _codes(claims) if code not in carriers)
    reliability = learned(observations, classes) if observations else Reliability()
    kept = {term for each in reliability.fields for term in each.terms if is_code(term)}
    return Publication.now(reliability, {code: carriers[code] for code in sorted(kept)})


def _codes(claims: Claims) -> Iterable[str]:
    return (term for claim in claims.claims for term in claim.terms if is_code(term))
