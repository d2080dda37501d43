"""Clocks that should agree: messages and signatures carry times of the host that made them."""

from workers.surroundings.finding import OK, WARNING, Finding

__all__ = ["compare_clocks"]

#: Seconds of difference that are told. Well below what does harm, and above what asking takes.
TOLD_SECONDS = 60


def compare_clocks(name: str, theirs: float, ours: float, cost: str) -> Finding:
    """What the difference is; ``theirs``, ``ours``: seconds since the epoch; ``cost``: what it does."""
    ahead = theirs - ours
    if abs(ahead) < TOLD_SECONDS:
        return Finding(name, OK, "agrees with this machine's")
    way = "ahead of" if ahead > 0 else "behind"
    shown = f"{abs(ahead) / 60:.0f} minutes" if abs(ahead) >= 120 else f"{abs(ahead):.0f} seconds"
    return Finding(
        name, WARNING, f"{shown} {way} this machine's: {cost}", "have both set by the same time server (NTP)"
    )
