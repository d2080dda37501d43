"""This machine: shared memory for processes, and room on disk for the registry."""

import os
import shutil
from multiprocessing import get_context
from pathlib import Path

from workers.surroundings.finding import MISSING, OK, WARNING, Finding

__all__ = ["disk", "shared_memory"]

SHARED_MEMORY = "/dev/shm"  # noqa: S108 (where the kernel's semaphores are; nothing is put there by name)
#: Bytes free on a disk below which a warning, and below which nothing sensible can be stored.
LOW_DISK, NO_DISK = 5_000_000_000, 500_000_000


def shared_memory(*, needed: bool) -> Finding:
    """Whether processes can share a lock, as those of a label worker do, and those that render phantoms."""
    name, fix = "Shared memory", f"mount a tmpfs that can be written on {SHARED_MEMORY} (in containers: --shm-size 1g)"
    try:
        get_context("spawn").Lock()
    except OSError as error:
        detail = f"{SHARED_MEMORY} cannot be used: {error.strerror}; a label worker has no processes without it"
        return Finding(name, MISSING if needed else WARNING, f"{detail}, and no phantoms are rendered", fix)
    size = shutil.disk_usage(SHARED_MEMORY).total if Path(SHARED_MEMORY).is_dir() else 0
    return Finding(name, OK, f"{size / 1e6:.0f} MB")


def disk(name: str, folder: Path, fix: str, *, needed: bool) -> Finding:
    """Whether there is room where a folder is, or will be made, and whether it can be written to.

    ``needed``: whether nothing works otherwise; else something waits until it is put right.
    """
    lacking = MISSING if needed else WARNING
    place = next(there for there in (folder.resolve(), *folder.resolve().parents) if there.exists())
    if not os.access(place, os.W_OK):
        return Finding(name, lacking, f"{place} cannot be written to", fix)
    free = shutil.disk_usage(place).free
    status = OK if free > LOW_DISK else WARNING if free > NO_DISK else lacking
    return Finding(name, status, f"{folder}: {free / 1e9:.0f} GB free", "" if status == OK else fix)
