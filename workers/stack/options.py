"""What a stack is started with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Options"]


@dataclass(frozen=True)
class Options:
    """What a stack is started with."""

    data: Path
    """Its data directory, made if there is none."""
    state: Path | None = None
    """Where to write addresses, credentials and process ids, besides `state.json` in the data directory."""
    ports: Mapping[str, int] = field(default_factory=dict)
    """Ports by service (orthanc, dicom, gateway, broker); 0 or absent for the last start's or a free one."""
    workers: int = 0
    """Processes that label, each with a decoder and a model; 0 for as many as there are cores."""
    device: str = "auto"
    """auto, cpu or cuda:N."""
