"""Unique identifiers that are a function of what they name, so that the same input gives the same object again."""

from __future__ import annotations

from typing import Final
from uuid import NAMESPACE_OID, uuid5

from pydicom import uid

__all__ = ["IMPLEMENTATION", "derived_uid"]


def derived_uid(*identity: str) -> uid.UID:
    """The UID of what these parts name together: the first says what it is, such as ``series``; none holds a space.

    UIDs under 2.25 are a UUID in decimal (PS3.5 B.2), so they need no registered root.
    """
    return uid.UID(f"2.25.{uuid5(NAMESPACE_OID, ' '.join(('msk-labeller', *identity))).int}")


#: Implementation Class UID of what this program writes (PS3.7 D.3.3.2).
IMPLEMENTATION: Final = derived_uid()
