"""What can be wrong with a wish about who may."""

__all__ = ["AccessError"]


class AccessError(Exception):
    """It cannot be done. The message says why, for people, and holds no secret."""
