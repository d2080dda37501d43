"""Orthanc's own DICOMweb plugin: asked for what it serves, and never to store, change or delete anything.

What it sends is handed on piece by piece. An answer that was cut off is an error, also where HTTP alone does not show
it: newer versions end some answers by closing the connection.
"""

from collections.abc import Iterator, Mapping, Sequence
from email.message import Message
from typing import TYPE_CHECKING, Self
from urllib.parse import quote, urlencode

import requests
import urllib3

from workers.pacs.http import OrthancHttp, OrthancNotFound, OrthancRefused, OrthancUnavailable, OrthancUnregistered
from workers.sentences import network_reason

if TYPE_CHECKING:
    from workers.settings import Settings

__all__ = ["DicomWeb", "DicomWebAnswer", "NoPlugin"]

#: Where the plugin answers, unless its option `Root` says otherwise.
ROOT = "dicom-web"
#: Characters of a query that are not encoded: Orthanc 1.10 does not decode them, and would not know a wildcard.
AS_THEY_ARE = "*?,:;@/!$'()"
#: Bytes that are read at a time.
PIECE = 2**21
#: Bytes at the end of an answer that are looked at: a boundary has 70 characters at most (RFC 2046, 5.1.1).
TAIL = 128
#: Seconds to connect, and until an answer goes on. Orthanc sends nothing of a search before it has found everything.
TIMEOUTS = (5.0, 600.0)


class NoPlugin(OrthancRefused):
    """This Orthanc does not serve DICOMweb."""

    def __init__(self) -> None:
        super().__init__(
            "Orthanc serves no DICOMweb: install its plugin (Debian's package orthanc-dicomweb), load it in the "
            'configuration with "DicomWeb": {"Enable": true}, and restart Orthanc'
        )


class DicomWebAnswer:
    """An answer whose body is still to be read. To be closed."""

    def __init__(self, answer: requests.Response) -> None:
        self._answer = answer
        self.status, self.headers = answer.status_code, answer.headers

    def pieces(self) -> Iterator[bytes]:
        """The body. Raises OrthancUnavailable where it was cut off."""
        raw, tail = self._answer.raw, b""
        try:
            while piece := raw.read(PIECE, decode_content=False):
                tail = (tail + piece[-TAIL:])[-TAIL:]
                yield piece
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise OrthancUnavailable(f"DICOMweb: {network_reason(error) or type(error).__name__}") from None
        if not _is_whole(self.headers, tail):
            raise OrthancUnavailable("DICOMweb: the answer was cut off")

    def close(self) -> None:
        """Whoever reads no further ends the connection by this."""
        self._answer.close()


class DicomWeb:
    """Thread-safe; one for each process. All methods raise subclasses of `OrthancError`."""

    def __init__(self, http: OrthancHttp) -> None:
        self._http = http

    @classmethod
    def of(cls, settings: "Settings") -> Self:
        """That of the Orthanc which the settings name."""
        user, password = settings.orthanc_user, settings.orthanc_password
        return cls(OrthancHttp(settings.orthanc_url, user, password, TIMEOUTS, settings.trust))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def studies(self, study_instance_uid: str) -> int:
        """How many studies have this Study Instance UID: more than one where files of several patients share it."""
        found = self._http.json("POST", "tools/lookup", data=study_instance_uid.encode(), repeatable=True)
        try:
            return sum(row["Type"] == "Study" for row in found)
        except (KeyError, TypeError) as error:
            raise OrthancUnavailable("tools/lookup: not an answer of Orthanc") from error

    def ask(self, path: str, query: Sequence[tuple[str, str]], headers: Mapping[str, str]) -> DicomWebAnswer:
        """The plugin's answer to a GET. ``path``: below its root, made of what was checked; ``query``: not encoded yet.

        Raises:
            NoPlugin: there is none.
            OrthancUnregistered: there is no such study, series, instance.
            OrthancNotFound: this version of the plugin serves nothing there.
        """
        address = f"{ROOT}/{path}" + (f"?{urlencode(query, safe=AS_THEY_ARE, quote_via=quote)}" if query else "")
        try:
            return DicomWebAnswer(self._http.request("GET", address, headers=headers, stream=True))
        except OrthancUnregistered:
            raise
        except OrthancNotFound:
            if not self.has_plugin():
                raise NoPlugin from None
            raise

    def has_plugin(self) -> bool:
        """Whether this Orthanc has the plugin."""
        return "dicom-web" in self._http.json("GET", "plugins")


def _is_whole(headers: Mapping[str, str], tail: bytes) -> bool:
    """Whether the end of the body is that of its kind; True for a kind that has no mark there that nothing else has."""
    kind = Message()
    kind["content-type"] = headers.get("content-type", "")
    if kind.get_content_maintype() == "multipart":
        return f"--{kind.get_boundary('')}--".encode() in tail
    return True
