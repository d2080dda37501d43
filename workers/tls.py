"""TLS with the servers of a site: whose certificates are trusted, on every hop by the same rule.

The authorities that the system trusts count, and beside them those in the file that `MSK_CA_FILE` names, such as a
hospital's own. A certificate must also name the host that was asked for, and be valid now.
"""

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Trust", "tls_failure"]

#: What OpenSSL, older and newer, says of an answer that is no TLS.
_NO_TLS = {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"}


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


def tls_failure(error: BaseException) -> str | None:
    """Why there was no TLS with a server, for people to read; None if the error has another reason.

    Libraries wrap the error in their own, so what it came from is looked through too.
    """
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted: {cause.verify_message.rstrip('.')}"
        if isinstance(cause, ssl.SSLError) and cause.reason in _NO_TLS:
            return "it does not speak TLS there"
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, and those inside it: urllib3 keeps them as `reason`, requests among the arguments."""
    left, seen = [error], set()
    while left:
        cause = left.pop()
        if id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            inner = (cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args)
            left += [found for found in inner if isinstance(found, BaseException)]
