"""Patient keys: which images are of one patient, without saying of whom, and which patients are held out.

A key is an HMAC-SHA256 under a secret of the site, so that nobody can find a patient by trying identifiers.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["FILE", "SiteSecret", "SiteSecretError", "is_held_out"]

#: In the root of the model registry: all hosts that share the registry give a patient the same key.
FILE = "patients.secret"
#: One patient in this many is held out.
HELD_OUT_OF = 5
_BYTES = 32


class SiteSecretError(Exception):
    """The site's secret cannot be read or made; without it no patient key is the same as before."""


@dataclass(frozen=True)
class SiteSecret:
    """The site's secret, 32 bytes."""

    value: bytes = field(repr=False)

    @classmethod
    def of(cls, root: Path) -> SiteSecret:
        """The secret in this folder, created at first use, readable by its owner only. Raises SiteSecretError.

        Processes that create it at the same time all get the same secret.
        """
        path = root / FILE
        try:
            if not path.exists():
                root.mkdir(parents=True, exist_ok=True)
                _make(path)
            value = bytes.fromhex(path.read_text().strip())
        except OSError as error:
            raise SiteSecretError(f"{path}: {error.strerror or error}") from error
        except ValueError as error:
            raise SiteSecretError(f"{path} is damaged; restore it from a backup") from error
        if len(value) != _BYTES:
            raise SiteSecretError(f"{path} is damaged; restore it from a backup")
        return cls(value)

    def patient(self, identifier: str) -> str:
        """Key of a patient, 16 hexadecimal digits. ``identifier``: the one that the site uses for the patient."""
        return self.digest("patient", identifier).hex()[:16]

    def uid(self, level: str, identifier: str) -> str:
        """A DICOM UID that stands for a resource of that level, the same every time (PS3.5, annex B.2)."""
        return f"2.25.{int.from_bytes(self.digest(level, identifier)[:16], 'big')}"

    def digest(self, level: str, identifier: str) -> bytes:
        """HMAC-SHA256 of level and identifier, 32 bytes."""
        return hmac.digest(self.value, f"{level} {identifier}".encode(), hashlib.sha256)


def is_held_out(patient: str) -> bool:
    """Whether the images of the patient with this key are kept for evaluation: always, in every job of the site."""
    return int(patient[:8], 16) % HELD_OUT_OF == 0


def _make(path: Path) -> None:
    """Write a new secret, whole or not at all, and never over an existing one."""
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(partial, path)
    finally:
        partial.unlink()
