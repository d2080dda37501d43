"""Model versions on disk, the one that is served, and its classifier. Only `classifier` needs torch."""

from mskmodel.registry.decision import NotANumber
from mskmodel.registry.registry import AnotherServes, Registry
from mskmodel.registry.version import (
    MANIFEST,
    REPORT,
    SHIPPED,
    STARTED_FROM,
    WEIGHTS,
    RegistryError,
    Version,
    check_weights,
    others_beside,
    read_manifest,
    write_version,
)

__all__ = [
    "MANIFEST",
    "REPORT",
    "SHIPPED",
    "STARTED_FROM",
    "WEIGHTS",
    "AnotherServes",
    "NotANumber",
    "Registry",
    "RegistryError",
    "Version",
    "check_weights",
    "others_beside",
    "read_manifest",
    "write_version",
]
