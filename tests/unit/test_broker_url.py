"""What the address of the broker says."""

from pathlib import Path

import pytest

from workers.broker_url import BrokerUrl
from workers.tls import Trust

NOBODY = (None, None)


@pytest.mark.parametrize(
    ("url", "hosts", "login", "database"),
    [
        ("redis://broker", [("broker", 6379)], NOBODY, 0),
        ("redis://broker:7000/", [("broker", 7000)], NOBODY, 0),
        ("redis://:secret@broker/2", [("broker", 6379)], (None, "secret"), 2),
        ("rediss://msk:s%40%2Fc@10.0.0.1:6380/12", [("10.0.0.1", 6380)], ("msk", "s@/c"), 12),
        ("redis://[::1]:6379/0", [("::1", 6379)], NOBODY, 0),
        ("sentinel://a,b:7000,[::1]:7001/hospital", [("a", 26379), ("b", 7000), ("::1", 7001)], NOBODY, 0),
        ("sentinels://msk:secret@a/hospital/3", [("a", 26379)], ("msk", "secret"), 3),
    ],
)
def test_hosts_login_and_database(
    url: str, hosts: list[tuple[str, int]], login: tuple[str | None, str | None], database: int
) -> None:
    found = BrokerUrl.of(url)
    assert (list(found.hosts), (found.user, found.password), found.database) == (hosts, login, database)
    assert found.tls == url.startswith(("rediss:", "sentinels:"))
    assert found.master == ("hospital" if "sentinel" in url else None)


@pytest.mark.parametrize(
    ("url", "in_kombu"),
    [
        ("redis://:s%40%2Fc@broker/2", "redis://:s%40%2Fc@broker:6379/2"),
        ("rediss://msk:secret@[::1]", "rediss://msk:secret@[::1]:6379/0"),
        ("sentinels://:s@a,b:7000/hospital/3", "sentinel://:s@a:26379/3;sentinel://:s@b:7000/3"),
    ],
)
def test_kombu_spells_it_otherwise(url: str, in_kombu: str) -> None:
    assert BrokerUrl.of(url).for_kombu() == in_kombu


def test_the_password_is_hidden_in_the_repr() -> None:
    assert "very-secret" not in repr(BrokerUrl.of("redis://msk:very-secret@broker"))


def test_a_server_is_verified_and_shown_our_own_certificate_where_there_is_one() -> None:
    url = BrokerUrl.of("rediss://broker?ssl_certfile=/our.pem&ssl_keyfile=/our.key")
    ours = {"ssl_certfile": "/our.pem", "ssl_keyfile": "/our.key"}
    verified = {"ssl_cert_reqs": "required", "ssl_check_hostname": True}
    assert url.tls_options(Trust()) == {**verified, **ours}
    assert url.tls_options(Trust(Path("/ca.pem"))) == {**verified, "ssl_ca_certs": "/ca.pem", **ours}
    assert url.tls_options(Trust(verify=False)) == {"ssl_cert_reqs": "none", "ssl_check_hostname": False, **ours}
    assert BrokerUrl.of("redis://broker").tls_options(Trust()) == {}
