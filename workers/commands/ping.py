"""`msk ping`: whether a worker takes tasks; for health checks."""

import click

__all__ = ["command"]


@click.command()
@click.argument("name")
@click.option("--timeout", default=10.0, show_default=True, help="Seconds to wait for the answer.")
@click.pass_context
def command(context: click.Context, name: str, timeout: float) -> None:
    """Ask the worker NAME on this host whether it takes tasks; exit 1 when it does not answer.

    NAME is what `msk worker --name` says, by default the worker's first queue.
    """
    from workers.broker.ping import worker_answers
    from workers.settings import Settings

    answers = worker_answers(Settings.from_environment(), name, timeout)
    click.echo(f"{name} {'takes tasks' if answers else f'did not answer within {timeout:g} s'}")
    context.exit(0 if answers else 1)
