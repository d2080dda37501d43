"""The npm package that holds OHIF's built pages: which one, and how it is fetched and checked."""

import hashlib
import os
import shutil
import subprocess
from base64 import b64encode
from pathlib import Path

import requests

from workers.tls import Trust
from workers.trusting_adapter import TrustingAdapter

__all__ = ["NAME", "VERSION", "ViewerError", "fetch_package"]

NAME, VERSION = "@ohif/app", "3.13.2"
#: As the registry publishes it: SHA-512 in base64.
INTEGRITY = "WZdxmpmG7rqFgW9ZJLcbgr3XCtLi1KDNPoMaeY5PPe6j4G4fjEjjkycZM6C6Zk2F87BKxFfpq+jd5xXZB9E8EA=="
#: The registry that is asked where there is no npm and NPM_CONFIG_REGISTRY names none.
REGISTRY = "https://registry.npmjs.org"
#: Seconds for 50 MB, and for one answer of the registry.
LONGEST, ANSWER_TIMEOUT = 600, 60
CHUNK = 1 << 20


class ViewerError(Exception):
    """The viewer cannot be fetched, or what was fetched is not what is wanted."""


def fetch_package(folder: Path) -> Path:
    """Put the package into the folder, as a checked archive.

    By npm where there is one, which knows the site's registry, its proxy and its tokens; else from the registry itself.
    Raises ViewerError.
    """
    archive = _by_npm(folder) if shutil.which("npm") else _from_registry(folder)
    found = _digest(archive)
    if found != INTEGRITY:
        raise ViewerError(f"{NAME} {VERSION} is not the file that was expected: its SHA-512 is {found}")
    return archive


def _by_npm(folder: Path) -> Path:
    command = ("npm", "pack", f"{NAME}@{VERSION}", "--pack-destination", str(folder), "--silent")
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=LONGEST)
        (archive,) = folder.glob("*.tgz")
    except subprocess.CalledProcessError as error:
        lines = error.stderr.strip().splitlines() or ["it says nothing"]
        raise ViewerError(f"npm cannot fetch {NAME} {VERSION}: {lines[0]}") from None
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        raise ViewerError(f"npm cannot fetch {NAME} {VERSION}: {error}") from None
    return archive


def _from_registry(folder: Path) -> Path:
    registry = (os.environ.get("NPM_CONFIG_REGISTRY") or REGISTRY).rstrip("/")
    address, archive = f"{registry}/{NAME}/-/app-{VERSION}.tgz", folder / "package.tgz"
    try:
        with requests.Session() as session, archive.open("wb") as file:
            session.mount("https://", TrustingAdapter(Trust()))
            answer = session.get(address, stream=True, timeout=ANSWER_TIMEOUT)
            answer.raise_for_status()
            for chunk in answer.iter_content(CHUNK):
                file.write(chunk)
    except (requests.RequestException, OSError) as error:
        raise ViewerError(f"{NAME} {VERSION} cannot be fetched from {registry}: {error}") from None
    return archive


def _digest(archive: Path) -> str:
    with archive.open("rb") as file:
        return b64encode(hashlib.file_digest(file, "sha512").digest()).decode()
