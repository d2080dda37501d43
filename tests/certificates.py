"""Certificates for tests, made by `openssl`: an authority as a hospital has its own, and what it issues."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

#: What servers of the tests are called.
HERE = "IP:127.0.0.1,DNS:localhost"


@dataclass(frozen=True)
class Identity:
    """A server's certificate and its key, in PEM files."""

    certificate: Path
    key: Path


class Authority:
    """Issues certificates; `file` is what whoever trusts it needs."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder, self.file, self._key = folder, folder / "authority.pem", folder / "authority.key"
        _openssl("req", "-x509", *_new_key(self._key), "-out", self.file, "-days", "30", "-subj", "/CN=Test Authority")

    def issue(self, name: str, *, hosts: str = HERE, days: int = 30) -> Identity:
        """A certificate for a server; with negative `days`, one that has expired."""
        request, extensions = self._folder / f"{name}.csr", self._folder / f"{name}.ext"
        identity = Identity(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        _openssl("req", *_new_key(identity.key), "-out", request, "-subj", f"/CN={name}")
        extensions.write_text(f"subjectAltName={hosts}\n")
        issuer = ("-CA", self.file, "-CAkey", self._key, "-CAcreateserial")
        signed = ("-in", request, "-out", identity.certificate, "-days", days, "-extfile", extensions)
        _openssl("x509", "-req", *issuer, *signed)
        return identity


def _new_key(file: Path) -> tuple[object, ...]:
    return "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", file


def _openssl(*arguments: object) -> None:
    subprocess.run(("openssl", *map(str, arguments)), check=True, capture_output=True)
