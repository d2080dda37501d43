"""The Content-Security-Policy of the viewer's page: as strict as OHIF runs with. That of our own pages is stricter."""

import hashlib
import re
from base64 import b64encode

__all__ = ["page_policy", "worker_policy"]

INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def page_policy(page: str) -> str:
    """For the page with this text: scripts of ours, and its own inline ones, as they are, by their hashes."""
    hashes = (hashlib.sha256(script.encode()).digest() for script in INLINE_SCRIPT.findall(page))
    inline = " ".join(f"'sha256-{b64encode(digest).decode()}'" for digest in hashes)
    return "; ".join((
        "default-src 'none'",
        f"script-src 'self' 'wasm-unsafe-eval' {inline}",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self'",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ))  # fmt: skip


def worker_policy() -> str:
    """For what is no page: it counts where a worker runs it, as the one that decodes pixels does.

    OHIF's decoders of JPEG-LS and JPEG 2000 build functions from text, so `unsafe-eval` is theirs. The page is no
    worker, and a worker reaches nothing but this server.
    """
    return "default-src 'none'; script-src 'self' 'unsafe-eval'; connect-src 'self'"
