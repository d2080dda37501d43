"""Whose fault it is that a step failed for an instance: its own only if the step works for another one meanwhile.

Without this question one file that Orthanc cannot deliver would either stop all the others, as an outage does, or a
short outage would be held against whatever was being labelled.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from hashlib import md5

from mskmodel.radiograph import Limits
from workers.ledger import Ledger
from workers.metadata.outcome import PREDICTION
from workers.pacs import (
    OrthancClient,
    OrthancConflict,
    OrthancError,
    OrthancNotFound,
    OrthancUnavailable,
    TooLarge,
)

__all__ = ["InstanceDeleted", "ModelBroken", "OrthancOutage", "Step", "StepFailed", "Witnesses", "expect_file", "step"]

#: Length of an identity that is an MD5; a UUID has 36.
MD5_LENGTH = 32
#: Most instances that are asked for to find out whether a step works at all.
WITNESSES = 2


class Step(Enum):
    """What Orthanc does for an instance on its way to a label, and what is said where it does not."""

    LOOK_UP = "Orthanc does not tell what it knows of it"
    FETCH = "Orthanc does not deliver its file"
    WRITE = "Orthanc does not take its outcome"


class StepFailed(Exception):
    """Orthanc did not do a step for an instance that it has. The message is a reason for people to read."""

    def __init__(self, step: Step, error: OrthancError) -> None:
        super().__init__(f"{step.value}: {error.what}")
        self.step = step
        self.error = error


class InstanceDeleted(Exception):
    """Orthanc no longer has the instance."""


class OrthancOutage(OrthancError):
    """Orthanc does a step for no instance now."""


class ModelBroken(Exception):
    """The model answers for no picture any more, for example because its GPU has failed."""


@contextmanager
def step(which: Step, orthanc: OrthancClient, instance_id: str) -> Iterator[None]:
    """Turn every error of Orthanc, but TooLarge, into StepFailed or InstanceDeleted."""
    try:
        yield
    except TooLarge:
        raise
    except OrthancNotFound as error:
        if _is_there(orthanc, instance_id):
            raise StepFailed(which, error) from error
        raise InstanceDeleted from error
    except OrthancError as error:
        raise StepFailed(which, error) from error


def _is_there(orthanc: OrthancClient, instance_id: str) -> bool:
    """Whether Orthanc has the instance; also True where it does not say."""
    try:
        return orthanc.has(instance_id)
    except OrthancError:
        return True


def expect_file(data: bytes, identity: str) -> None:
    """Raise OrthancUnavailable if this is not the file of that identity, where an MD5 can tell."""
    if len(identity) == MD5_LENGTH and md5(data, usedforsecurity=False).hexdigest() != identity:
        raise OrthancUnavailable("GET file: it is not what was stored")


class Witnesses:
    """Instances that were labelled lately: whether Orthanc does for one of them now what it does not do for another."""

    def __init__(self, orthanc: OrthancClient, ledger: Ledger, limits: Limits) -> None:
        self._orthanc, self._ledger, self._limits = orthanc, ledger, limits

    def say_it_works(self, which: Step, but: str) -> bool | None:
        """Whether the step works for another instance than `but`; None if there is none to try it with.

        Raises:
            redis.RedisError: the ledger cannot be reached.
        """
        others = [instance_id for instance_id in self._ledger.finished() if instance_id != but]
        # Of the older half: Orthanc may have the latest files in memory even while its storage is away.
        older = others[len(others) // 2 :]
        result = None
        for instance_id in random.sample(older, min(WITNESSES, len(older))):
            works = self._works(which, instance_id)
            if works:
                return True
            result = result if works is None else works
        return result

    def _works(self, which: Step, instance_id: str) -> bool | None:
        """Whether the step works for this instance; None if it has been deleted, or somebody else writes it."""
        try:
            self._do(which, instance_id)
        except OrthancConflict:
            return None
        except OrthancNotFound:
            return False if _is_there(self._orthanc, instance_id) else None
        except OrthancError:
            return False
        return True

    def _do(self, which: Step, instance_id: str) -> None:
        if which is Step.LOOK_UP:
            self._orthanc.file_identity(instance_id)
            self._orthanc.metadata(instance_id)
        elif which is Step.FETCH:
            identity = self._orthanc.file_identity(instance_id)
            with suppress(TooLarge):  # it is delivered
                expect_file(self._orthanc.file(instance_id, self._limits.max_file_bytes), identity)
        elif (outcome := self._orthanc.metadata(instance_id).get(PREDICTION)) is not None:
            self._orthanc.replace_metadata(instance_id, PREDICTION, outcome, outcome)
        else:
            raise OrthancNotFound(f"{PREDICTION}: it was deleted")
