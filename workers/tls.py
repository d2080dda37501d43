"""TLS with the servers of a site: whose certificates are trusted, on every hop by the same rule.

The authorities that the system trusts count, and beside them those in the file that `MSK_CA_FILE` names, such as a
hospital's own. A certificate must also name the host that was asked for, and be valid now.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Trust"]


@dataclass(frozen=True)
class Trust:
    """Whose certificates are accepted."""

    ca_file: Path | None = None
    """Certificates (PEM) of further authorities."""
    verify: bool = True
    """False: anybody's, so that whoever is in between reads passwords and images."""

    def context(self) -> ssl.SSLContext:
        """For a connection to a server. Raises OSError if the file cannot be read or holds no certificate."""
        context = ssl.create_default_context()
        if self.ca_file:
            context.load_verify_locations(self.ca_file)
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context
