"""Proxies before the gateway: where they are trusted, what they say of a request counts, and elsewhere nothing does."""

from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from starlette.requests import HTTPConnection

__all__ = ["Proxies"]

Address = IPv4Address | IPv6Address


@dataclass(frozen=True)
class Proxies:
    """Those of a site."""

    networks: Collection[IPv4Network | IPv6Network]

    def trusts(self, connection: HTTPConnection) -> bool:
        """Whether the request comes from one of them."""
        return self._is_one(_peer(connection))

    def address(self, connection: HTTPConnection) -> str:
        """Where the request comes from: the last address in `X-Forwarded-For` that is none of the proxies'."""
        found = peer = _peer(connection)
        if self._is_one(peer):
            said = ",".join(connection.headers.getlist("x-forwarded-for")).split(",")
            for each in map(_parsed, reversed(said)):
                if each is None:
                    break
                found = each
                if not self._is_one(each):
                    break
        return str(found or "unknown")

    def is_secure(self, connection: HTTPConnection) -> bool:
        """Whether the browser speaks TLS: with us, or with a trusted proxy."""
        if connection.url.scheme == "https":
            return True
        return self.trusts(connection) and connection.headers.getlist("x-forwarded-proto") == ["https"]

    def host(self, connection: HTTPConnection) -> str:
        """The host, perhaps with a port, that the browser asks: `Host`, or what a trusted proxy says that it was."""
        said = connection.headers.getlist("x-forwarded-host") if self.trusts(connection) else []
        return said[0] if len(said) == 1 else connection.headers.get("host", "")

    def _is_one(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self.networks)


def _peer(connection: HTTPConnection) -> Address | None:
    return _parsed(connection.client.host) if connection.client else None


def _parsed(text: str) -> Address | None:
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
