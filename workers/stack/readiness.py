"""Whether a service of the stack does its work: asked the way its users would."""

from collections.abc import Mapping

__all__ = ["answers_200", "broker_answers", "records_are_kept", "worker_answers"]

#: Seconds to wait for one answer; the caller asks again.
PATIENCE = 2.0


def answers_200(url: str, login: tuple[str, str] | None = None) -> bool:
    """Whether an HTTP GET of the address is answered with 200."""
    import requests

    from workers.loopback import DirectToLoopback

    try:
        with requests.Session() as session:
            session.mount("http://", DirectToLoopback())
            return session.get(url, auth=login, timeout=PATIENCE).status_code == 200
    except requests.RequestException:
        return False


def broker_answers(url: str) -> bool:
    """Whether the broker has loaded its data and answers a ping."""
    import redis

    try:
        with redis.Redis.from_url(url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE) as broker:
            return bool(broker.ping())
    except redis.RedisError:
        return False


def records_are_kept(broker_url: str) -> bool:
    """Whether a process keeps the records, by its sign of life in the broker."""
    import redis

    from workers.records.heartbeat import Heartbeat

    try:
        with redis.Redis.from_url(broker_url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE) as broker:
            return Heartbeat.last(broker) is not None
    except redis.RedisError:
        return False


def worker_answers(environment: Mapping[str, str], name: str) -> bool:
    """Whether the worker of that name, which has this environment, takes tasks."""
    from kombu.exceptions import OperationalError

    from workers.broker import ping
    from workers.settings import Settings

    try:
        return ping.worker_answers(Settings.from_environment(environment), name, PATIENCE)
    except OperationalError:
        return False
