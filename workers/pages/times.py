"""Moments and lengths of time as people read them, in the gateway's time zone."""

from datetime import UTC, date, datetime, time, timedelta

__all__ = ["day_bounds", "lasted", "local_time", "seconds_between"]


def lasted(seconds: float) -> str:
    """A length of time in its one fitting unit."""
    for unit, size in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.1f} s" if 0 < seconds < 10 else f"{seconds:.0f} s"


def local_time(moment: str | datetime | None) -> str:
    """A moment, such as one in ISO 8601, to the second; "" for none."""
    if not moment:
        return ""
    found = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return f"{found.astimezone():%Y-%m-%d %H:%M:%S}"


def seconds_between(start: str, end: str) -> float:
    """From one moment in ISO 8601 to another, 0 where their order is the other one: clocks differ."""
    return max(0.0, (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds())


def day_bounds(day: date) -> tuple[str, str]:
    """When a day begins and ends, as the index writes times."""
    return _midnight(day), _midnight(day + timedelta(days=1))


def _midnight(day: date) -> str:
    return datetime.combine(day, time()).astimezone(UTC).isoformat(timespec="seconds")
