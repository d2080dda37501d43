"""Settings: the environment, read once into a frozen object."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from urllib.parse import urlsplit

__all__ = ["InvalidSetting", "MissingSetting", "Settings"]


class MissingSetting(Exception):
    """An environment variable that the command needs is not set."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the environment variable {name} is not set")
        self.name = name


class InvalidSetting(Exception):
    """An environment variable holds what cannot be meant. The message names no password."""

    def __init__(self, name: str, value: str, expected: str) -> None:
        super().__init__(f"the environment variable {name} is {value!r}, and should be {expected}")


@dataclass(frozen=True)
class Settings:
    """What every process of the online side needs to know; secrets hide in its repr."""

    orthanc_url: str
    orthanc_user: str
    orthanc_password: str = field(repr=False)
    broker_url: str = field(repr=False)
    webhook_secret: str | None = field(repr=False)
    api_token: str | None = field(repr=False)
    """Who has it may use /api; None for nobody."""
    models: Path | None
    """Folder of the model registry, None for the shipped model alone."""
    device: str
    sweep_seconds: float
    """Seconds between two sweeps over Orthanc's changes."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Read the MSK_* variables.

        Raises:
            MissingSetting: naming the first variable that has no value and no default.
            InvalidSetting: naming one whose value cannot be used.
        """

        def required(name: str) -> str:
            value = environment.get(name, "")
            if not value:
                raise MissingSetting(name)
            return value

        def address(name: str, schemes: tuple[str, ...], example: str, path: str = ".*") -> str:
            value = required(name)
            if not _is_address(value, schemes, path):
                raise InvalidSetting(name, value.rpartition("@")[2].partition("?")[0], f"an address like {example}")
            return value

        models = environment.get("MSK_MODELS", "")
        return cls(
            orthanc_url=address("MSK_ORTHANC_URL", ("http", "https"), "http://pacs:8042"),
            orthanc_user=required("MSK_ORTHANC_USER"),
            orthanc_password=required("MSK_ORTHANC_PASSWORD"),
            broker_url=address("MSK_BROKER_URL", ("redis", "rediss"), "redis://:password@broker:6379/0", r"/?\d*"),
            webhook_secret=environment.get("MSK_WEBHOOK_SECRET") or None,
            api_token=environment.get("MSK_API_TOKEN") or None,
            models=Path(models) if models else None,
            device=environment.get("MSK_DEVICE", "auto"),
            sweep_seconds=_seconds("MSK_SWEEP_SECONDS", environment.get("MSK_SWEEP_SECONDS", "15")),
        )


def _is_address(url: str, schemes: tuple[str, ...], path: str) -> bool:
    try:
        parts = urlsplit(url)
        known = parts.scheme in schemes and re.fullmatch(path, parts.path)
        return bool(known and parts.hostname and parts.port != 0)
    except ValueError:  # of a port that is no number, above all
        return False


def _seconds(name: str, value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0
    if not 0 < seconds < inf:
        raise InvalidSetting(name, value, "a number of seconds above 0")
    return seconds
