"""Where copies go: a folder, a DICOM node, or a modality or peer that Orthanc knows. No file name is of a patient."""

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mskmodel.results.corrected_copy import Copy
from mskmodel.whole_file import write_whole
from workers.pacs import OrthancClient, OrthancError
from workers.pacs.send import STORED, Target, send

__all__ = ["Folder", "KnownToOrthanc", "Node", "UnknownDestination"]


class UnknownDestination(Exception):
    """Orthanc knows no modality or peer of that name."""


@dataclass(frozen=True)
class Folder:
    """``SERIES/INSTANCE.dcm`` in it, by the unique identifiers of the copies; one that is there already is replaced."""

    path: Path

    def take(self, copies: Iterable[Copy]) -> Iterator[tuple[Copy, str]]:
        """See `Destination`."""
        for copy in copies:
            folder = self.path / copy.series
            folder.mkdir(parents=True, exist_ok=True)
            write_whole(folder / f"{copy.instance}.dcm", copy.data)
            yield copy, ""


@dataclass(frozen=True)
class Node:
    """A DICOM node, by C-STORE."""

    target: Target

    def take(self, copies: Iterable[Copy]) -> Iterator[tuple[Copy, str]]:
        """See `Destination`. The files lie in a temporary folder until they are sent."""
        with tempfile.TemporaryDirectory(prefix="msk-export-") as name:
            paths = {}
            for number, copy in enumerate(copies):
                path = Path(name) / f"{number}.dcm"
                path.write_bytes(copy.data)
                paths[path] = copy
            for sent in send(paths, self.target) if paths else ():
                yield paths[sent.path], "" if sent.status == STORED else sent.reason


@dataclass(frozen=True)
class KnownToOrthanc:
    """A modality or peer in Orthanc's configuration; ``kind``: ``modalities`` or ``peers``."""

    orthanc: OrthancClient
    kind: str
    name: str

    def check(self) -> None:
        """Raise UnknownDestination if Orthanc has no such one."""
        known = self.orthanc.destinations(self.kind)
        if self.name not in known:
            told = ", ".join(sorted(known)) or "none"
            raise UnknownDestination(f"Orthanc knows no {self.name} among its {self.kind}, which are: {told}")

    def take(self, copies: Iterable[Copy]) -> Iterator[tuple[Copy, str]]:
        """See `Destination`."""
        for copy in copies:
            try:
                self.orthanc.send_straight(self.kind, self.name, copy.data)
                yield copy, ""
            except OrthancError as error:
                self.orthanc.statistics()  # raises if Orthanc is away
                yield copy, f"Orthanc could not send it: {error.what}"
