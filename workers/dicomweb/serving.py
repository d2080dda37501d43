"""How an answer begins: what Orthanc is asked for, and what becomes of it on the way."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from fastapi import HTTPException

from workers.dicomweb.answer import Begun
from workers.dicomweb.resource import Kind, Resource
from workers.dicomweb.rewriting import Reading, array, rewritten_metadata, rewritten_search, with_shown
from workers.dicomweb.rows import Row, rows_of
from workers.dicomweb.searching import Search, asked_for, uids_in
from workers.pacs import DicomWeb, DicomWebAnswer

__all__ = ["Serving"]

JSON = "application/dicom+json"
#: Headers of Orthanc's answers that concern the client; no others go out.
PASSED_ON = ("content-type", "content-length", "content-range", "accept-ranges", "content-encoding")
#: Names and labels change, and a browser's cache may be somebody else's tomorrow.
NOT_KEPT = {"Cache-Control": "no-store"}

SHARED = "Orthanc holds this Study Instance UID under several patients: nothing of it is shown, lest they be mixed"


@dataclass(frozen=True)
class Serving:
    """Answers requests. The methods may raise `OrthancError`, errors of the records' database, and HTTPException."""

    orthanc: DicomWeb
    reading: Reading

    def begin(self, resource: Resource, query: Sequence[tuple[str, str]], headers: Mapping[str, str]) -> Begun:
        """The answer. ``headers``: for Orthanc. HTTPException: 400, 404 or 409, with what is wrong."""
        self._refuse_shared(resource, query)
        if resource.kind is Kind.SEARCH:
            return self._search(resource, query, headers)
        if resource.kind is Kind.METADATA:
            answer = self.orthanc.ask(resource.path, query, {**headers, "Accept": JSON})
            return _of_rows(rewritten_metadata(rows_of(answer.pieces()), self.reading), answer.close)
        return _as_it_is(self.orthanc.ask(resource.path, query, headers))

    def _search(self, resource: Resource, query: Sequence[tuple[str, str]], headers: Mapping[str, str]) -> Begun:
        accepting = {**headers, "Accept": JSON}
        try:
            search = Search.of(resource, query)
        except ValueError as error:
            raise HTTPException(400, str(error)) from None
        asked = asked_for(query)
        if search is None:
            answer = self.orthanc.ask(resource.path, query, accepting)
            rows = rows_of(answer.pieces())
            if resource.level == "studies" and not asked:  # such rows have none of these attributes
                return _of_rows((row.text for row in rows), answer.close)
            known = with_shown(resource.level, rows, self.reading)
            return _of_rows(rewritten_search(resource.level, known, asked), answer.close)

        def ask(path: str, parameters: Sequence[tuple[str, str]]) -> Iterator[Row]:
            with closing(self.orthanc.ask(path, parameters, accepting)) as one:
                yield from rows_of(one.pieces())

        found = search.rows(ask, self.reading)
        asked |= {key.path[0] for key in search.query.keys}
        return _of_rows(rewritten_search(resource.level, found, asked), found.close)

    def _refuse_shared(self, resource: Resource, query: Sequence[tuple[str, str]]) -> None:
        """404 where the study of a path is not there, 409 where there are several of one UID."""
        for uid in ({resource.study} | uids_in(query, "studies")) - {""}:
            count = self.orthanc.studies(uid)
            if count > 1:
                raise HTTPException(409, SHARED)
            if count == 0 and uid == resource.study:
                raise HTTPException(404, "Orthanc holds no such study: it may have been deleted")


def _as_it_is(answer: DicomWebAnswer) -> Begun:
    kept = {name: answer.headers[name] for name in PASSED_ON if name in answer.headers}
    return Begun(answer.status, {**kept, **NOT_KEPT}, answer.pieces(), answer.close)


def _of_rows(rows: Iterable[str], close: Callable[[], None]) -> Begun:
    return Begun(200, {"Content-Type": JSON, **NOT_KEPT}, array(rows), close)
