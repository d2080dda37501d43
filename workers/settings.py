"""Settings: the environment, read once into a frozen object."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["MissingSetting", "Settings"]


class MissingSetting(Exception):
    """An environment variable that the command needs is not set."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the environment variable {name} is not set")
        self.name = name


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
        """

        def required(name: str) -> str:
            value = environment.get(name, "")
            if not value:
                raise MissingSetting(name)
            return value

        models = environment.get("MSK_MODELS", "")
        return cls(
            orthanc_url=required("MSK_ORTHANC_URL"),
            orthanc_user=required("MSK_ORTHANC_USER"),
            orthanc_password=required("MSK_ORTHANC_PASSWORD"),
            broker_url=required("MSK_BROKER_URL"),
            webhook_secret=environment.get("MSK_WEBHOOK_SECRET") or None,
            api_token=environment.get("MSK_API_TOKEN") or None,
            models=Path(models) if models else None,
            device=environment.get("MSK_DEVICE", "auto"),
            sweep_seconds=float(environment.get("MSK_SWEEP_SECONDS", "15")),
        )
