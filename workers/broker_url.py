"""Where the broker is, as `MSK_BROKER_URL` says it: one server, or the sentinels that know which one is the master.

    redis://user:password@host:6379/0                       rediss:// with TLS
    sentinel://user:password@a:26379,b:26379/NAME/0         sentinels:// with TLS, to sentinels and servers

User and password are those of the server; where there is only a password, it is the default user's.
"""

import re
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from workers.tls import Trust

__all__ = ["BrokerUrl"]

#: Scheme to the port where none is given, and what may follow the host.
_SCHEMES = {
    "redis": (6379, r"/?(?P<database>\d*)"),
    "rediss": (6379, r"/?(?P<database>\d*)"),
    "sentinel": (26379, r"/(?P<master>[^/]+)(/(?P<database>\d*))?"),
    "sentinels": (26379, r"/(?P<master>[^/]+)(/(?P<database>\d*))?"),
}
#: What may stand behind a `?`: our own certificate, where the server asks for one.
_OPTIONS = {"ssl_certfile", "ssl_keyfile"}


@dataclass(frozen=True)
class BrokerUrl:
    """The parts of an address, decoded."""

    hosts: tuple[tuple[str, int], ...]
    """Host and port of the server; or of the sentinels."""
    master: str | None
    """The name under which the sentinels know the server; None for a server without them."""
    user: str | None
    password: str | None = field(repr=False)
    database: int
    tls: bool
    certificate: dict[str, str] = field(repr=False)
    """Files of our own certificate and its key: `ssl_certfile` and `ssl_keyfile`; or empty."""

    @classmethod
    def of(cls, url: str) -> Self:
        """Raises ValueError where it is no such address, or has a part that would be ignored."""
        parts = urlsplit(url)
        port, path = _SCHEMES.get(parts.scheme, (0, "(?!)"))
        found = re.fullmatch(path, parts.path)
        login, _, hosts = parts.netloc.rpartition("@")
        user, _, password = login.partition(":")
        options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        tls, master = parts.scheme in ("rediss", "sentinels"), found and found.groupdict().get("master")
        if not found or parts.fragment or options.keys() - (_OPTIONS if tls else set()):
            raise ValueError
        if "," in hosts and not master:
            raise ValueError
        return cls(
            hosts=tuple(_host_and_port(host, port) for host in hosts.split(",")),
            master=unquote(master) if master else None,
            user=unquote(user) or None,
            password=unquote(password) or None,
            database=int(found["database"] or 0),
            tls=tls,
            certificate=options,
        )

    def tls_options(self, trust: Trust) -> dict[str, Any]:
        """The arguments that redis-py's connections with TLS take, and so kombu's; empty without TLS."""
        if not self.tls:
            return {}
        judged = {"ssl_cert_reqs": "required" if trust.verify else "none", "ssl_check_hostname": trust.verify}
        authorities = {"ssl_ca_certs": str(trust.ca_file)} if trust.ca_file else {}
        return {**judged, **authorities, **self.certificate}

    def for_kombu(self) -> str:
        """The address in kombu's spelling, which has one for each sentinel."""
        scheme = "sentinel" if self.master else "rediss" if self.tls else "redis"
        login = f"{_quoted(self.user)}:{_quoted(self.password)}@" if self.user or self.password else ""
        return ";".join(f"{scheme}://{login}{_bracketed(host)}:{port}/{self.database}" for host, port in self.hosts)


def _host_and_port(text: str, default_port: int) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname or parts.port == 0:
        raise ValueError
    return unquote(parts.hostname), parts.port or default_port


def _quoted(text: str | None) -> str:
    return quote(text or "", safe="")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
