"""Instances that Orthanc's plugin says are deleted: they wait in the broker until the index has dropped them."""

from collections.abc import Collection
from typing import Any

__all__ = ["Deletions"]

KEY = "msk:records:deleted"
#: Most that wait, as at a site where no process keeps records. The walk over the index finds the others.
MOST = 100_000
#: Taken at a time.
BATCH = 500


class Deletions:
    """A set in the broker. Every method may raise redis.RedisError."""

    def __init__(self, broker: Any) -> None:
        self._broker = broker

    def tell(self, instance_id: str) -> None:
        """An instance is deleted, or was and has been stored again since."""
        if self._broker.scard(KEY) < MOST:
            self._broker.sadd(KEY, instance_id)

    def waiting(self) -> list[str]:
        """Some of those that wait; they stay until they are `done`."""
        return [str(each) for each in self._broker.srandmember(KEY, BATCH)]

    def done(self, instance_ids: Collection[str]) -> None:
        """The index has been compared with Orthanc for these."""
        if instance_ids:
            self._broker.srem(KEY, *instance_ids)
