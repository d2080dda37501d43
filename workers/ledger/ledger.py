"""The ledger: every instance that was accepted and has no outcome yet.

An outcome (labelled, needs-review, skipped, failed) is written to the instance's own metadata in
Orthanc, and is deleted with the instance. An instance without an outcome has an open entry here, in
the broker's database: *waiting* in a queue, or *leased* to one run of the label task. A broker message
is only a hint that there is work. A lost message costs time, never an instance: later runs fill their
chunks with what waits, leases expire, and the sweep sends new hints for what is left over. Where Orthanc
does not take the outcome of an instance, `failed` stands here.

The operations are scripts in `ledger.lua`, so that each is atomic.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from workers.broker.database import connect
from workers.broker.queues import INSTANCE_QUEUES
from workers.broker.trial import try_to_accept
from workers.settings import KEY_PREFIX, Settings
from workers.tls import Trust

__all__ = ["Claim", "Entry", "Ledger"]

#: Most identifiers in one script call.
BATCH = 1000

#: Most pages of `BATCH` keys that one call of `mend` looks at.
MENDED_PAGES = 20
#: Where the entries' keys begin.
ENTRY = "msk:entry:"

#: Timeout of the broker's answers in seconds; an operation may look at very many entries.
ANSWER_SECONDS = 30


@dataclass(frozen=True)
class Claim:
    """An instance that this run of the label task, and no other, works on now."""

    instance_id: str
    attempts: int
    """How many earlier attempts were begun and not finished: their worker died or got stuck."""
    failures: int
    """How many earlier attempts failed by what is the instance's own fault."""
    accepted: float
    """When the ledger accepted it, seconds since the epoch."""


@dataclass(frozen=True)
class Entry:
    """What the ledger says of an instance without an outcome."""

    failed: bool
    """Whether it failed, and Orthanc did not take this as its outcome. If not, it waits or is worked on."""
    reason: str
    """Why it failed, or why the last attempt did not label it; empty before the first attempt."""


class Ledger:
    """Open entries in a Redis or Valkey database.

    ``key_prefix``: what the keys of Celery's queues begin with; the ledger's own begin with `msk:`.

    Every method raises `redis.RedisError` if the database cannot be reached.
    """

    def __init__(self, broker_url: str, *, trust: Trust = Trust(), key_prefix: str = KEY_PREFIX) -> None:
        script = Path(__file__).with_name("ledger.lua")
        self._redis, self._call = connect(broker_url, trust, script, ANSWER_SECONDS)
        self._key_prefix = key_prefix

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The ledger in the broker that the settings name."""
        return cls(settings.broker_url, trust=settings.trust, key_prefix=settings.key_prefix)

    def open(self, instance_ids: Sequence[str], queue: str) -> int:
        """Accept instances; one that is open already stays one entry. Returns how many were new."""
        return sum(
            int(self._call("open", queue, *instance_ids[start : start + BATCH]))
            for start in range(0, len(instance_ids), BATCH)
        )

    def claim(self, owner: str, queue: str, instance_ids: Sequence[str], limit: int) -> list[Claim]:
        """Lease to `owner` the named instances, and others that wait, at most `limit` in all.

        A second run under the same owner (a redelivery after a crash) gets what the first one held.
        """
        flat = self._call("claim", owner, queue, limit, *instance_ids)
        return [
            Claim(instance_id, int(attempts), int(failures), int(accepted) / 1000)
            for instance_id, attempts, failures, accepted in zip(*[iter(flat)] * 4, strict=True)
        ]

    def begin(self, owner: str, instance_id: str) -> int:
        """Count an attempt, before anything that might crash; its number, 0 if another run has taken over."""
        return int(self._call("begin", owner, instance_id))

    def close(self, owner: str, instance_id: str, *, labelled: bool = False, study: str = "") -> bool:
        """Close an entry whose outcome is written; False if the instance was stored again, or is another run's.

        Args:
            labelled: whether it went through every step of labelling; `finished` names it for a while.
            study: its study, if the instance may be a sibling of others; `take_settled` gives it later.
        """
        return bool(self._call("close", owner, instance_id, int(labelled), study))

    def postpone(self, owner: str, instance_id: str, *, delay: float, reason: str, blamed: bool) -> bool:
        """End an attempt that failed; the next one may begin after `delay` seconds.

        Args:
            blamed: whether the instance is at fault, so that this counts among its failures.
        """
        return bool(self._call("postpone", owner, instance_id, int(delay * 1000), reason, int(blamed)))

    def fail(self, owner: str, instance_id: str, reason: str) -> bool:
        """Note that the instance failed, where Orthanc does not take this as its outcome; `open` begins anew."""
        return bool(self._call("fail", owner, instance_id, reason))

    def release(self, owner: str, *, delay: float, blameless: bool, reason: str = "") -> int:
        """Give back all that `owner` still holds, claimable after `delay` seconds.

        Args:
            blameless: whether the instances are not at fault, so that this attempt does not count.
        """
        return int(self._call("release", owner, int(delay * 1000), int(blameless), reason))

    def due(self, queue: str, limit: int) -> list[str]:
        """The oldest instances that wait and may be claimed now."""
        return list(self._call("due", queue, limit))

    def entries(self, instance_ids: Iterable[str]) -> dict[str, Entry]:
        """The entries of those of the instances that have one."""
        instance_ids = list(instance_ids)
        pipe = self._redis.pipeline(transaction=False)
        for instance_id in instance_ids:
            pipe.hmget(ENTRY + instance_id, "queue", "failed", "reason")
        found = zip(instance_ids, pipe.execute(), strict=True)
        return {i: Entry(failed is not None, reason or "") for i, (queue, failed, reason) in found if queue is not None}

    def holds(self, instance_ids: Iterable[str]) -> set[str]:
        """Which of the instances have an entry."""
        return set(self.entries(instance_ids))

    def holds_all(self, instance_ids: Sequence[str]) -> bool:
        """Whether each of the instances has an entry; faster than `holds`."""
        return not instance_ids or self._redis.exists(*(ENTRY + each for each in instance_ids)) == len(instance_ids)

    def held_by(self, owner: str) -> list[str]:
        """The instances that a run of the label task holds."""
        return sorted(self._redis.smembers(f"msk:owner:{owner}"))

    def finished(self) -> list[str]:
        """Instances that were labelled last, the newest first."""
        return list(self._redis.lrange("msk:finished", 0, -1))

    def failed_before(self, time: float, limit: int = BATCH) -> list[str]:
        """Instances that failed before `time`, seconds since the epoch, and whose failure stands only here."""
        return list(self._redis.zrangebyscore("msk:failed", "-inf", time * 1000, 0, limit))

    def mend(self) -> int:
        """Look at some entries and put those back that the broker's sets have lost; how many these were.

        Call it again and again: each call goes on where the last one ended.
        """
        mended = 0
        for _ in range(MENDED_PAGES):
            cursor, keys = self._redis.scan(int(self._redis.get("msk:mended") or 0), f"{ENTRY}*", BATCH)
            self._redis.set("msk:mended", cursor)
            if keys:
                mended += int(self._call("mend", *(key.removeprefix(ENTRY) for key in keys)))
            if cursor == 0:
                break
        return mended

    def depth(self) -> dict[str, int]:
        """Entries that wait, by queue, and those leased to a run."""
        counts = {queue: int(self._redis.zcard(f"msk:waiting:{queue}")) for queue in INSTANCE_QUEUES}
        return {**counts, "leased": int(self._redis.zcard("msk:leased"))}

    def lag(self, queue: str) -> float:
        """Seconds since the oldest waiting entry could have been claimed; 0 if there is none."""
        oldest = self._redis.zrange(f"msk:waiting:{queue}", 0, 0, withscores=True)
        if not oldest:
            return 0.0
        seconds, microseconds = self._redis.time()
        return max(0.0, float(seconds + microseconds / 1e6 - oldest[0][1] / 1000))

    def messages(self, queue: str) -> int:
        """Number of the queue's messages that no worker has taken yet."""
        return int(self._redis.llen(f"{self._key_prefix}{queue}"))

    def try_to_accept(self, queue: str) -> None:
        """Return if an instance could be accepted for this queue now; cheap, and writes nothing."""
        try_to_accept(self._redis, queue, self._key_prefix)

    def take_settled(self, limit: int) -> list[tuple[str, str]]:
        """Lease studies of which no instance was labelled for a while, the oldest first; study and lease of each.

        One that is not given to `forget_study` within a minute is there to be taken again.
        """
        flat = self._call("take_settled", limit)
        return list(zip(*[iter(flat)] * 2, strict=True))

    def forget_study(self, study: str, lease: str) -> bool:
        """Note that a leased study was looked at; False if one of its instances was labelled meanwhile: it stays."""
        return bool(self._call("forget_study", study, lease))

    def settled(self) -> tuple[int, float]:
        """How many studies could be taken now, and for how many seconds the oldest of them could have been."""
        seconds, microseconds = self._redis.time()
        now = seconds * 1000 + microseconds // 1000
        count = int(self._redis.zcount("msk:unsettled", "-inf", now))
        oldest = self._redis.zrange("msk:unsettled", 0, 0, withscores=True)
        return count, (now - oldest[0][1]) / 1000 if count and oldest else 0.0

    @property
    def walked(self) -> int:
        """How many of Orthanc's instances the sweep's walk over all of them has passed."""
        return int(self._redis.get("msk:walked") or 0)

    @walked.setter
    def walked(self, count: int) -> None:
        self._redis.set("msk:walked", count)

    @property
    def cursor(self) -> int:
        """Sequence number of the last of Orthanc's changes that the sweep has dealt with."""
        return int(self._redis.get("msk:cursor") or 0)

    @cursor.setter
    def cursor(self, sequence: int) -> None:
        self._redis.set("msk:cursor", sequence)

    def exclusive(self, name: str, seconds: float) -> Any:
        """A lock for one process at a time, which expires by itself after `seconds`."""
        return self._redis.lock(f"msk:lock:{name}", timeout=seconds, blocking=False)
