"""Whether a worker takes tasks: asked through the broker, by the application whose worker it is."""

import socket

from workers.broker.celery_app import publisher
from workers.settings import Settings

__all__ = ["worker_answers"]


def worker_answers(settings: Settings, name: str, seconds: float) -> bool:
    """Whether the worker of that name (`msk worker --name`) on this host answers a ping.

    Args:
        seconds: how long to wait for it.

    Raises:
        kombu.exceptions.OperationalError: the broker does not answer.
    """
    node = f"{name}@{socket.gethostname()}"
    return bool(publisher(settings).control.ping(destination=[node], timeout=seconds))
