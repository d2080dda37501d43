"""`msk gateway`: receive Orthanc's webhook."""

import click

__all__ = ["command"]


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, help="Port to listen on.")
def command(host: str, port: int) -> None:
    """Receive Orthanc's webhook and enqueue what was stored."""
    import uvicorn

    from workers.gateway.app import create_app
    from workers.settings import Settings

    app = create_app(Settings.from_environment())
    # Ten seconds for open requests to end, once asked to stop.
    uvicorn.run(app, host=host, port=port, access_log=False, timeout_graceful_shutdown=10)
