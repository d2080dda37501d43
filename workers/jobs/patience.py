"""Waits for a registry that cannot be written at the moment, mostly since its disk is full, instead of giving up."""

import errno
import logging
import time
from collections.abc import Callable
from typing import TypeVar

from workers.jobs.run_record import JobRun

__all__ = ["is_full", "until_it_can_be_written", "until_there_is_room", "why_not_written"]

#: Errors of a disk, a quota or a limit that leaves no room.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
#: Seconds between two attempts.
PAUSE_SECONDS = 2.0

log = logging.getLogger(__name__)
T = TypeVar("T")


def is_full(error: OSError) -> bool:
    """Whether it is for want of room."""
    return error.errno in _FULL


def why_not_written(error: OSError) -> str:
    """The error in words: what is wrong, where, and what the system says."""
    what = "there is no disk space for the registry" if is_full(error) else "the registry cannot be used"
    where = f" ({error.filename})" if error.filename else ""
    return f"{what}: {error.strerror or error}{where}"


def until_there_is_room(run: JobRun, write: Callable[[], T]) -> T:
    """What ``write`` returns; while the disk is full, it is called again and again, and the job says that it waits.

    Raises:
        OSError: it cannot be written for another reason.
        Superseded: the run must stop.
    """
    return _patiently(run, write, is_full)


def until_it_can_be_written(run: JobRun, write: Callable[[], T]) -> T:
    """As `until_there_is_room`, whatever the reason: what was trained is not thrown away. Raises Superseded."""
    return _patiently(run, write, lambda _: True)


def _patiently(run: JobRun, write: Callable[[], T], passes: Callable[[OSError], bool]) -> T:
    said = ""
    while True:
        try:
            return write()
        except OSError as error:
            if not passes(error):
                raise
            sentence = why_not_written(error)
            if sentence != said:
                log.warning("job-waits job=%s reason=%s", run.id, sentence)
            phase = "waiting for disk space" if is_full(error) else "waiting for the registry"
            run.note("" if sentence == said else f"waits: {sentence}", phase=phase)
            said = sentence
            time.sleep(PAUSE_SECONDS)
