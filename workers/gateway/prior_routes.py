"""Relevant priors of a study, over HTTP."""

from typing import Any

from fastapi import APIRouter

from workers.access.role import Role, needs
from workers.pages.awaited_priors import AwaitedPriors

__all__ = ["prior_routes"]


def prior_routes(priors: AwaitedPriors) -> APIRouter:
    """Routes under /studies."""
    router = APIRouter(prefix="/studies")

    @router.get("/{study}/priors")
    @needs(Role.VIEWER)
    async def show_priors(study: str) -> dict[str, Any]:
        """The earlier studies of the same patient that are relevant beside this one, the most relevant first."""
        return (await priors.of(study)).to_json()

    return router
