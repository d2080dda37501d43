"""Who receives radiographs over DICOM, and how it is reached."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from workers.tls import Trust

__all__ = ["SendError", "Target", "Tls"]


class SendError(Exception):
    """Nothing can be sent; the message says why and what to do."""


@dataclass(frozen=True)
class Tls:
    """DICOM over TLS (PS3.15 B): whom we trust, and who we are."""

    trust: Trust = Trust()
    #: Our certificate (PEM), where the receiver wants one, with its key in the same file or in another.
    certificate: Path | None = None
    key: Path | None = None

    def context(self) -> ssl.SSLContext:
        """For one or several associations. Raises SendError where a file cannot be used."""
        try:
            context = self.trust.context()
        except OSError as error:
            raise SendError(f"{self.trust.ca_file} cannot be used: {_problem(error)}") from error
        try:
            if self.certificate:
                # Nobody is asked for a password: a command must not wait for one.
                context.load_cert_chain(self.certificate, self.key, password="")
        except OSError as error:
            raise SendError(f"{self.certificate} with its key cannot be used: {_problem(error)}") from error
        return context


def _problem(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return "it is no certificate in PEM, or the key does not belong to it, or has a password"
    return error.strerror or "input/output error"


@dataclass(frozen=True)
class Target:
    """The receiver's address and title, and our own title."""

    host: str = "127.0.0.1"
    port: int = 4242
    #: The receiver's application entity title.
    called_aet: str = "ORTHANC"
    #: Ours.
    aet: str = "MSKSEND"
    #: None: without TLS.
    tls: Tls | None = None

    def __post_init__(self) -> None:
        for title in (self.called_aet, self.aet):
            if not (title.strip() and len(title) <= 16 and title.isascii() and title.isprintable()):
                raise SendError(f"{title!r} is no application entity title: 1 to 16 printable ASCII characters")

    def __str__(self) -> str:
        return f"{self.called_aet} at {self.host}:{self.port}"

    @classmethod
    def of_state(cls, state: Mapping[str, Any], aet: str = "MSKSEND") -> "Target":
        """The Orthanc of a local stack, from its state. Raises KeyError or ValueError where that is none."""
        orthanc = state["orthanc"]
        host = orthanc.get("dicom_host") or urlsplit(orthanc["url"]).hostname or "127.0.0.1"
        return cls(host, int(orthanc["dicom_port"]), orthanc["dicom_aet"], aet)
