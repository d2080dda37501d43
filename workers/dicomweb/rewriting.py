"""Rows of answers as they leave the gateway: rewritten where what they show is known, and otherwise as they came."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from typing import Any, Protocol

from sqlalchemy import Connection

from workers.dicomweb.attributes import NAMES, OF_SERIES, Elements, told
from workers.dicomweb.marks import marked, with_originals
from workers.dicomweb.rows import Row
from workers.records.shown import Shown, shown_by

__all__ = ["COLUMNS", "UIDS", "Known", "Reading", "array", "rewritten_metadata", "rewritten_search", "with_shown"]

#: Rows of which the index is asked at once.
AT_ONCE = 200

#: The UID of a row by its level, and the column of the index that holds it.
UIDS = {"studies": "0020000D", "series": "0020000E", "instances": "00080018"}
COLUMNS = {"studies": "study_uid", "series": "series_uid", "instances": "sop_instance"}
#: Tags that a row of a search has by its level, even if the header lacks them.
_ALWAYS = {"studies": frozenset[str](), "series": OF_SERIES, "instances": frozenset(NAMES)}
#: A row, and what its instances show.
Known = tuple[Row, Sequence[Shown]]

_text = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


class Reading(Protocol):
    """Opens a transaction of the records that only reads."""

    def __call__(self) -> AbstractContextManager[Connection]: ...


def rewritten_search(level: str, rows: Iterable[Known], asked: Collection[str]) -> Iterator[str]:
    """The rows of a search, as JSON. ``asked``: tags that they have even if the header lacks them."""
    always = _ALWAYS[level].union(asked)
    for row, shown in rows:
        changed = _changed(row.elements, shown, always)
        yield _text(marked(row.elements, changed, shown)) if changed else row.text


def rewritten_metadata(rows: Iterable[Row], reading: Reading) -> Iterator[str]:
    """The attributes of instances, as JSON, with the original ones in a sequence of their own."""
    for row, shown in with_shown("instances", rows, reading):
        changed = _changed(row.elements, shown, NAMES)
        if changed:
            elements = marked(row.elements, changed, shown)
            yield _text(with_originals(elements, row.elements, changed, shown))
        else:
            yield row.text


def array(rows: Iterable[str]) -> Iterator[bytes]:
    """The rows as one JSON array, in pieces of some rows."""
    before = "["
    waiting = iter(rows)
    while some := list(islice(waiting, AT_ONCE)):
        yield (before + ",\n".join(some)).encode()
        before = ",\n"
    yield b"[]" if before == "[" else b"]"


def _changed(header: Elements, shown: Sequence[Shown], always: Collection[str]) -> Mapping[str, Any]:
    """What is told, and not what the header says by itself."""
    found = told(header, shown, always)
    return {tag: element for tag, element in found.items() if header.get(tag) != element}


def with_shown(level: str, rows: Iterable[Row], reading: Reading) -> Iterator[Known]:
    """Each row with what its instances show, as the index has it now."""
    waiting = iter(rows)
    while some := list(islice(waiting, AT_ONCE)):
        uids = {row.first(UIDS[level]) for row in some}
        with reading() as connection:
            found = shown_by(connection, COLUMNS[level], uids)
        for row in some:
            yield row, found.get(row.first(UIDS[level]), ())
