"""What was found out about one thing that the labeller stands on."""

from dataclasses import dataclass

__all__ = ["MISSING", "OK", "WARNING", "Away", "Finding", "UnfitSurroundings"]

OK, WARNING, MISSING = "ok", "warning", "missing"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. It shows nothing secret."""

    name: str
    status: str
    """`ok`, `warning` (it costs something, or something optional is lacking) or `missing` (labelling does not work)."""
    detail: str
    fix: str = ""
    """What to type, or to change; empty where there is nothing to put right."""

    @property
    def sentence(self) -> str:
        """Name, detail and fix in one line."""
        return f"{self.name}: {self.detail}{f'. To put it right: {self.fix}' if self.fix else ''}"


class Away(Exception):
    """A server does not answer, or not yet. The message says why, and shows nothing secret."""


class UnfitSurroundings(Exception):
    """What the process would stand on makes its work impossible, and waiting would not help. The message says why."""
