"""The steps of the process that keeps the records, taken in this one."""

from tests.integration.records.conftest import Site
from workers.records.database import the_only_one
from workers.records.deletions import Deletions
from workers.records.following import Follower
from workers.records.schema import migrate

__all__ = ["follow", "unread"]

KEY = b"k" * 32


def follow(site: Site, steps: int | None = None, key: bytes = KEY, issuer: str = "") -> int:
    """Follow until all is done, or for so many steps; how many rows changed."""
    return _follow(site, steps, key, issuer)[0]


def unread(site: Site) -> list[str]:
    """Follow until all is done; the instances with a truth whose pixels a label worker has yet to hash."""
    return _follow(site, None, KEY, "")[1]


def _follow(site: Site, steps: int | None, key: bytes, issuer: str) -> tuple[int, list[str]]:
    changed, taken, found = 0, 0, []
    with the_only_one(site.engine) as connection:
        assert connection is not None
        migrate(connection)
        follower = Follower(connection, site.orthanc, key, Deletions(site.broker), issuer)
        while steps is None or taken < steps:
            step = follower.step()
            changed, taken = changed + step.changed, taken + 1
            found += step.unread
            if not step.is_behind and not step.position.hurried:
                break
    return changed, found
