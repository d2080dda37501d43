"""What a child process answers when it is asked for a picture."""

from dataclasses import dataclass
from enum import Enum
from typing import Self

__all__ = ["SIZES", "Answer", "Ending"]

#: Most pixels along the longest side, by the name of a size.
SIZES = {"thumbnail": 192, "reading": 1600}


class Ending(Enum):
    """How it went."""

    PICTURE = "picture"
    """The content is a WebP file."""
    REFUSED = "refused"
    """There will never be a picture of this file. The content says why, as do those of the endings below."""
    GONE = "gone"
    """Orthanc holds no such instance."""
    AWAY = "away"
    """Orthanc does not deliver the file."""
    STOPPED = "stopped"
    """The child took too long, or died: another time may be better."""


@dataclass(frozen=True)
class Answer:
    """An ending, and what comes with it."""

    ending: Ending
    content: bytes

    @classmethod
    def because(cls, ending: Ending, reason: str) -> Self:
        """An answer without a picture. ``reason``: for people, without a patient's data."""
        return cls(ending, reason.encode())

    @property
    def reason(self) -> str:
        """Why there is no picture."""
        return self.content.decode("utf-8", "replace")

    def to_bytes(self) -> bytes:
        """A line with the ending, and the content."""
        return self.ending.value.encode() + b"\n" + self.content

    @classmethod
    def of(cls, message: bytes) -> Self:
        """What `to_bytes` wrote. ValueError: it is something else."""
        ending, _, content = message.partition(b"\n")
        return cls(Ending(ending.decode("ascii", "replace")), content)
