"""`msk records rebuild`: make the index anew from Orthanc."""

from pathlib import Path

import click

from workers.terminal.bars import counting
from workers.terminal.options import state_option

__all__ = ["rebuild"]


@click.command()
@state_option
def rebuild(state: Path | None) -> None:
    """Make the index anew from Orthanc. While another process keeps the records, that one does it."""
    from workers.broker.database import client
    from workers.pacs import OrthancClient
    from workers.records.database import open_database
    from workers.records.keeping import ANSWER_SECONDS
    from workers.records.rebuilding import rebuild as make_anew
    from workers.settings import MissingSetting
    from workers.stack.discovery import find_settings

    settings = find_settings(state)
    if settings.records is None:
        raise MissingSetting("MSK_RECORDS")
    orthanc = OrthancClient.of(settings)
    broker = client(settings.broker_url, settings.trust, ANSWER_SECONDS)
    with counting("instances", orthanc.statistics().instances) as show:
        rows = make_anew(open_database(settings.records), orthanc, broker, show, settings.patient_issuer or "")
    click.echo(f"{rows} instances in the index")
