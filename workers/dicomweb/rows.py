"""The rows of an answer in the DICOM JSON model (PS3.18 F): read one by one, however many there are."""

import codecs
import json
import re
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from workers.pacs import OrthancUnavailable

__all__ = ["Row", "rows_of"]

#: Most characters of one row.
LONGEST = 32 * 2**20

_SPACE = re.compile(r"[\s,]*")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True)
class Row:
    """The attributes of a study, a series or an instance: by their tags of eight digits."""

    text: str
    """As Orthanc wrote it."""
    elements: dict[str, Any]

    def first(self, tag: str) -> str:
        """The first value of an attribute, "" where it has none."""
        values = (self.elements.get(tag) or {}).get("Value") or [""]
        return str(values[0] or "")


def rows_of(pieces: Iterable[bytes]) -> Iterator[Row]:
    """The rows of a JSON array, as its pieces come in. Raises OrthancUnavailable where it is none, or not whole."""
    decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
    text, started = "", False
    for piece in pieces:
        text += decode(piece)
        if not started:
            text = text.lstrip()
            if not text:
                continue
            if text[0] != "[":
                break
            text, started = text[1:], True
        text = yield from _whole_rows(text)
        if len(text) > LONGEST:
            break
    if text.strip() != "]":
        raise OrthancUnavailable("DICOMweb: the answer is no list of attributes, or was cut off")


def _whole_rows(text: str) -> Generator[Row, None, str]:
    """Those that are whole; returns what is left."""
    start = _SPACE.match(text).end()  # type: ignore[union-attr]  # it matches always
    while start < len(text) and text[start] == "{":
        try:
            elements, end = _DECODER.raw_decode(text, start)
        except ValueError:  # the rest of it is still to come
            break
        yield Row(text[start:end], elements)
        start = _SPACE.match(text, end).end()  # type: ignore[union-attr]
    return text[start:]
