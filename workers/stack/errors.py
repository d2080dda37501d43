"""The one error of the local stack."""

__all__ = ["StackError"]


class StackError(Exception):
    """The stack cannot start, or is not there; the message says why and what to do."""
