"""Roles, each of which may do what the smaller ones may; and which one a route needs."""

from collections.abc import Callable
from enum import IntEnum
from typing import Any, TypeVar

__all__ = ["Role", "needs", "role_needed"]

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


class Role(IntEnum):
    """In ascending order."""

    VIEWER = 1
    """Looks."""
    REVIEWER = 2
    """Says what instances show, and asks for training jobs."""
    ADMIN = 3
    """Decides which version serves, and who may."""

    @classmethod
    def of(cls, word: str) -> "Role":
        """The role of that name. Raises KeyError."""
        return cls[word.upper()]

    @property
    def word(self) -> str:
        """Its name: `viewer`, `reviewer` or `admin`."""
        return self.name.lower()


def needs(role: Role) -> Callable[[Endpoint], Endpoint]:
    """Declare the smallest role that may use a route; stands below the decorator that makes the route."""

    def declare(endpoint: Endpoint) -> Endpoint:
        endpoint.needs = role  # type: ignore[attr-defined]
        return endpoint

    return declare


def role_needed(endpoint: object) -> Role | None:
    """The role that was declared for the route; None where it was forgotten."""
    found = getattr(endpoint, "needs", None)
    return found if isinstance(found, Role) else None
