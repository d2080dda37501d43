"""The field of a form in which a role is chosen."""

from collections.abc import Mapping

from fastapi import HTTPException

from workers.access.role import Role

__all__ = ["role_of"]


def role_of(form: Mapping[str, str]) -> Role:
    """What the field `role` says. HTTPException 422: no role."""
    try:
        return Role.of(form.get("role", ""))
    except KeyError:
        raise HTTPException(422, f"a role is one of {', '.join(role.word for role in Role)}") from None
