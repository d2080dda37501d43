"""Deflated data sets (PS3.5 A.5), in bounded steps: a few kilobytes can inflate to gigabytes."""

from __future__ import annotations

import zlib

from mskmodel.radiograph import Undecodable

__all__ = ["Inflater"]


class Inflater:
    """Inflates a deflated data set as far as it is asked to."""

    def __init__(self, deflated: memoryview) -> None:
        # The standard wants a bare stream; some writers leave zlib's two bytes before it.
        wrapped = bytes(deflated[:1]) == b"\x78" and int.from_bytes(deflated[:2], "big") % 31 == 0
        self._engine = zlib.decompressobj(zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS)
        self._left: bytes | memoryview = deflated

    def inflate(self, at_most: int) -> bytes:
        """Return the next bytes, ``at_most`` of them; raise ``Undecodable`` where the stream is damaged."""
        try:
            inflated = self._engine.decompress(self._left, at_most)
        except zlib.error as error:
            raise Undecodable("the deflated data set is damaged") from error
        self._left = self._engine.unconsumed_tail
        return inflated

    @property
    def is_at_end(self) -> bool:
        """Whether there is nothing more to come."""
        return self._engine.eof or not self._left
