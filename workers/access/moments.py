"""Moments as the records hold them: ISO 8601 in UTC, whole seconds, so that their order as texts is theirs."""

from datetime import UTC, datetime, timedelta

__all__ = ["after", "now"]


def now() -> str:
    """This moment."""
    return after(timedelta())


def after(time: timedelta) -> str:
    """The moment when that time will have passed."""
    return (datetime.now(UTC) + time).isoformat(timespec="seconds")
