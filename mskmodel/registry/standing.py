"""How each version stands in its registry: served, served before, refused, waiting; in words for people."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mskmodel.registry.registry import Registry
from mskmodel.registry.version import REPORT, SHIPPED, RegistryError, read_manifest

__all__ = ["VersionFacts", "all_versions"]


@dataclass(frozen=True)
class VersionFacts:
    """A version, and how it stands in its registry."""

    name: str
    manifest: dict[str, Any]
    standing: str
    """In words: served, refused, waiting for approval..."""
    served: bool
    shipped: bool
    report: Path | None
    damage: str | None = None
    """Why it cannot be served, as far as its manifest tells."""

    @classmethod
    def of(cls, registry: Registry, directory: Path) -> VersionFacts:
        """The facts of one version. Raises RegistryError if it is not complete."""
        manifest = read_manifest(directory)
        shipped = directory == SHIPPED
        pointer = "shipped" if shipped else directory.name
        served = (registry.promoted_name() or "shipped") == pointer
        report = directory / REPORT
        standing = _standing(registry, manifest, pointer, served)
        return cls(manifest["version"], manifest, standing, served, shipped, report if report.is_file() else None)

    @property
    def verdict(self) -> dict[str, Any] | None:
        """The gate's verdict; None if the gate never judged this version."""
        return self.manifest.get("gate")

    @property
    def summary(self) -> str:
        """The version in one line."""
        if self.damage:
            return f"damaged: {self.damage}"
        top1 = self.manifest.get("metrics", {}).get("top1")
        right = "" if top1 is None else f", {top1:.1%} right on its hold-out"
        return f"{len(self.manifest['classes'])} classes{right}  {self.manifest.get('made', '')}  {self.standing}"


def all_versions(registry: Registry) -> list[VersionFacts]:
    """All versions, the shipped one first, then oldest first; damaged ones are listed as such."""
    found = [VersionFacts.of(registry, SHIPPED)]
    for name in registry.versions():
        try:
            found.append(VersionFacts.of(registry, registry.find(name)))
        except RegistryError as error:
            served = registry.promoted_name() == name
            found.append(VersionFacts(name, {}, "damaged", served, False, None, str(error)))
    return found


def _standing(registry: Registry, manifest: dict[str, Any], pointer: str, served: bool) -> str:
    history = registry.history()
    since = [entry["at"] for entry in history if entry["version"] == pointer]
    until = [entry["at"] for entry in history if (entry["before"] or "shipped") == pointer]
    if served:
        return f"served since {since[-1]}" if since else "served"
    if until:
        return f"was served until {until[-1]}"
    verdict = manifest.get("gate")
    if verdict is None:
        return "not served, not judged by the gate"
    if not verdict["passed"]:
        return "refused by the gate"
    return f"passed the gate, not served yet: msk models promote {manifest['version']}"
