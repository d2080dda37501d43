"""`msk gateway`: receive Orthanc's webhook."""

import contextlib
import os
import signal
import ssl
import sys
from pathlib import Path

import click

__all__ = ["command"]

#: Exit status where the address cannot be listened on, as uvicorn itself has it.
NOT_STARTED = 3
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, help="Port to listen on.")
@click.option("--tls-certificate", type=FILE, help="Serve HTTPS with this certificate and its chain (PEM).")
@click.option("--tls-key", type=FILE, help="Its private key (PEM), if that is not in the same file.")
def command(host: str, port: int, tls_certificate: Path | None, tls_key: Path | None) -> None:
    """Receive Orthanc's webhook and enqueue what was stored."""
    import uvicorn

    from workers.gateway.app import create_app
    from workers.settings import Settings
    from workers.surroundings.start import surroundings

    _try_certificate(tls_certificate, tls_key)
    settings = Settings.from_environment()
    app = create_app(settings)
    with surroundings(settings, (), lambda: os.kill(os.getpid(), signal.SIGINT)):
        configuration = uvicorn.Config(
            app,
            host=host,
            port=port,
            ssl_certfile=tls_certificate,
            ssl_keyfile=tls_key,
            access_log=False,
            proxy_headers=False,  # who is trusted with them is MSK_TRUSTED_PROXIES alone
            timeout_graceful_shutdown=10,  # seconds for open requests to end, once asked to stop
        )
        server = uvicorn.Server(configuration)
        app.state.is_ending = lambda: server.should_exit  # what would go on for ever ends then
        with contextlib.suppress(KeyboardInterrupt):  # it has ended by then
            server.run()
        if not server.started:
            sys.exit(NOT_STARTED)


def _try_certificate(certificate: Path | None, key: Path | None) -> None:
    if certificate is None:
        if key:
            raise click.UsageError("--tls-key needs --tls-certificate")
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ValueError) as error:
        raise click.ClickException(f"the TLS certificate {certificate} and its key cannot be used: {error}") from error


def _no_password() -> str:
    raise ValueError("the key is encrypted")
