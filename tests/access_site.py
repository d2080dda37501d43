"""A gateway with accounts in front of a real Valkey, and people who use it by a browser's means."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache, cached_property
from typing import Any

import httpx
from sqlalchemy import Engine, select

from tests import gateway_process
from tests.deliveries import SECRET
from workers.access.accounts import add_account, set_password
from workers.access.opened_records import OpenedRecords
from workers.access.passwords import hashed
from workers.access.role import Role
from workers.access.tokens import add_token
from workers.records.database import open_database
from workers.records.schema import audit_log

MACHINE_TOKEN = "the-machines-own-token"
PASSWORD = "correct horse battery"
HTML = {"Accept": "text/html,application/xhtml+xml"}


@cache
def kept(password: str) -> str:
    """What is kept of a password, which takes its time to make."""
    return hashed(password)


def browser_token(answer: httpx.Response) -> str:
    """The token against forgery in a page's first form."""
    found = re.search(r'name="csrf" value="(\w+)"', answer.text)
    assert found, answer.text
    return found[1]


@dataclass(frozen=True)
class AccessSite:
    """Servers, and where the records are. ``variables``: more for the gateway."""

    broker_url: str
    place: str
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "MSK_ORTHANC_URL": "http://127.0.0.1:9",
            "MSK_ORTHANC_USER": "nobody",
            "MSK_ORTHANC_PASSWORD": "nothing",
            "MSK_BROKER_URL": self.broker_url,
            "MSK_WEBHOOK_SECRET": SECRET,
            "MSK_RECORDS": self.place,
            "MSK_API_TOKEN": MACHINE_TOKEN,
            **self.variables,
        }

    @cached_property
    def records(self) -> OpenedRecords:
        return OpenedRecords(self.place)

    @cached_property
    def engine(self) -> Engine:
        return open_database(self.place)

    def add(self, name: str, role: Role, password: str = PASSWORD) -> str:
        """Make an account; its name."""
        with self.records.writing() as connection:
            add_account(connection, name, role, by="test")
            set_password(connection, name, kept(password), by="test")
        return name

    def token(self, name: str, role: Role, lasts: timedelta = timedelta(days=1)) -> str:
        """Make a token of an account; its text."""
        with self.records.writing() as connection:
            return add_token(connection, name, role, lasts, by="test")[1]

    def audited(self) -> list[tuple[str, str, str]]:
        """Who did what to what, the oldest first."""
        wanted = select(audit_log.c.actor, audit_log.c.action, audit_log.c.subject).order_by(audit_log.c.id)
        with self.records.reading() as connection:
            return [tuple(row) for row in connection.execute(wanted)]

    def msk(self, *arguments: str, typed: str = "") -> "subprocess.CompletedProcess[str]":
        command = (sys.executable, "-m", "workers.cli", *arguments)
        own = os.environ | self.environment
        return subprocess.run(command, env=own, input=typed, capture_output=True, text=True)

    def dispose(self) -> None:
        """Close the connections."""
        self.engine.dispose()
        self.records.dispose()

    @contextmanager
    def gateway(self, **options: Any) -> Iterator[httpx.Client]:
        with gateway_process.gateway(self.environment, **options) as client:
            yield client


def sign_in(client: httpx.Client, name: str, password: str = PASSWORD, target: str = "/") -> httpx.Response:
    """Open the form, fill it in and send it; the answer, which is not followed."""
    page = client.get("/login", headers=HTML)
    typed = {"name": name, "password": password, "csrf": browser_token(page), "next": target}
    return client.post("/login", data=typed, headers=HTML)


@contextmanager
def browser(client: httpx.Client, name: str, password: str = PASSWORD) -> Iterator[httpx.Client]:
    """A browser of its own, in which that person is signed in."""
    with another(client) as own:
        assert sign_in(own, name, password).status_code == 303
        yield own


def another(client: httpx.Client) -> httpx.Client:
    """A browser without cookies."""
    return httpx.Client(base_url=client.base_url, timeout=60, verify=False)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
