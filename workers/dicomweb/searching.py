"""Searches (QIDO-RS) by what is rewritten: `BodyPartExamined=KNEE` finds a film whose header says LEG.

Orthanc matches headers. So it is asked for all keys first, and what has a label that does not match is left out. Then
the index names what matches by its label, and Orthanc is asked for those of these UIDs that it has not found, with all
other keys. A study or series is found if one of its instances is. Keys for items of sequences, which Orthanc does not
match, find what has a label alone.
"""

import re
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice

from workers.dicomweb.attributes import NAMES
from workers.dicomweb.matching import Key, Query, tag_of
from workers.dicomweb.resource import LEVELS, Resource
from workers.dicomweb.rewriting import COLUMNS, UIDS, Known, Reading, with_shown
from workers.dicomweb.rows import Row
from workers.records.shown import Wanted, uids_showing

__all__ = ["Ask", "Search", "asked_for", "uids_in"]

Parameters = Sequence[tuple[str, str]]
#: Asks Orthanc for the rows at this path with these parameters.
Ask = Callable[[str, Parameters], Iterator[Row]]

#: UIDs that Orthanc is asked for at once: with 64 characters each, they fit into one request.
UIDS_AT_ONCE = 100
#: UIDs that are read from the index at once.
UIDS_HELD = 20_000
#: Rows that Orthanc is asked for at once where those that were wanted were not enough.
FEWEST = 200

_NUMBERS = ("limit", "offset")
_UID = re.compile(r"[0-9.]+")
_UIDS = re.compile(r"[0-9.]+([,\\][0-9.]+)*")


@dataclass(frozen=True)
class Search:
    """A search with at least one key for what is rewritten."""

    resource: Resource
    query: Query
    others: list[tuple[str, str]]
    """Parameters for Orthanc, without those below."""
    offset: int
    limit: int | None

    @classmethod
    def of(cls, resource: Resource, parameters: Parameters) -> "Search | None":
        """None where no key is for what is rewritten: Orthanc alone finds it. ValueError: a number or UID is none."""
        query, others = Query.of(parameters)
        numbers = {"limit": 0, "offset": 0} | {name: _number(value) for name, value in others if name in _NUMBERS}
        if not query.keys:
            return None
        if not all(_UIDS.fullmatch(value) for name, value in others if value and tag_of(name) in UIDS.values()):
            raise ValueError("beside keys for what labels say, UIDs have no wildcards")
        others = [each for each in others if each[0] not in numbers]
        # What a key asks for is in the answer, too.
        others += [("includefield", key.path[0]) for key in query.keys]
        return cls(resource, query, others, numbers["offset"], numbers["limit"] or None)

    def rows(self, ask: Ask, reading: Reading) -> Generator[Known, None, None]:
        """The rows as Orthanc has them, with what they show, in an order that stays while nothing changes."""
        end = None if self.limit is None else self.offset + self.limit
        with closing(self._all(ask, reading, end)) as found:
            yield from islice(found, self.offset, end)

    def _all(self, ask: Ask, reading: Reading, end: int | None) -> Generator[Known, None, None]:
        own, seen = UIDS[self.resource.level], set[str]()
        if all(key.orthanc_has_it for key in self.query.keys):
            for page in self._by_header(ask, end):
                for row, shown in self._matching(page, reading):
                    seen.add(row.first(own))
                    yield row, shown
        for left, wanted in self.query.by_label().items():
            if all(key.orthanc_has_it for key in left):
                for row, shown in self._by_label(left, wanted, seen, ask, reading):
                    seen.add(row.first(own))
                    yield row, shown

    def _by_header(self, ask: Ask, end: int | None) -> Iterator[Iterable[Row]]:
        """All at once; where only some are wanted, page by page. Each page is to be read whole."""
        parameters = self.others + _parameters(self.query.keys)
        if end is None:
            yield ask(self.resource.path, parameters)
            return
        size, found, before = end, 0, -1

        def counted(rows: Iterable[Row]) -> Iterator[Row]:
            nonlocal found
            for row in rows:
                found += 1
                yield row

        while found > before:
            before = found
            yield counted(ask(self.resource.path, [*parameters, ("limit", str(size)), ("offset", str(found))]))
            size = max(size, FEWEST)

    def _matching(self, rows: Iterable[Row], reading: Reading) -> Iterator[Known]:
        """Of rows whose header matches, those with an instance that has no label, or one that does not contradict."""
        for row, shown in with_shown(self.resource.level, rows, reading):
            if not shown or any(self.query.left_to_header(each) is not None for each in shown):
                yield row, shown

    def _by_label(
        self, left: Sequence[Key], wanted: Sequence[Wanted], seen: Collection[str], ask: Ask, reading: Reading
    ) -> Iterator[Known]:
        own, column = UIDS[self.resource.level], COLUMNS[self.resource.level]
        parameters = [each for each in self.others if tag_of(each[0]) != own] + _parameters(left)
        within, last = self._within(), ""
        while True:
            with reading() as connection:
                uids = uids_showing(connection, column, wanted, within, last, UIDS_HELD)
            if not uids:
                return
            last = uids[-1]
            unseen = [uid for uid in uids if uid not in seen]
            for start in range(0, len(unseen), UIDS_AT_ONCE):
                some = ",".join(unseen[start : start + UIDS_AT_ONCE])
                rows = ask(self.resource.path, [*parameters, (own, some)])
                yield from with_shown(self.resource.level, rows, reading)

    def _within(self) -> dict[str, set[str]]:
        """The UIDs that the keys and the path admit, by the column of the index."""
        found = {COLUMNS[level]: uids for level in LEVELS if (uids := uids_in(self.others, level))}
        path = {"study_uid": self.resource.study, "series_uid": self.resource.series}
        for column, uid in path.items():
            if uid:
                found[column] = {uid} & found.get(column, {uid})
        return found


def uids_in(parameters: Parameters, level: str) -> set[str]:
    """The UIDs that keys name; those with wildcards are left out."""
    values = [value for name, value in parameters if tag_of(name) == UIDS[level]]
    return {uid for value in values for uid in re.split(r"[,\\]", value) if _UID.fullmatch(uid)}


def asked_for(parameters: Parameters) -> frozenset[str]:
    """The tags of what may be rewritten and that `includefield` names, `all` being all of them."""
    names = [part for name, value in parameters if name == "includefield" for part in value.split(",")]
    if "all" in names:
        return frozenset(NAMES)
    return frozenset(NAMES.keys() & set(map(tag_of, names)))


def _parameters(keys: Iterable[Key]) -> list[tuple[str, str]]:
    return [(key.path[0], key.value) for key in keys]


def _number(text: str) -> int:
    if not text.isascii() or not text.isdecimal():
        raise ValueError("limit and offset are whole numbers")
    return int(text)
