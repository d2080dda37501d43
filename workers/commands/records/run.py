"""`msk records run`: the process that keeps the records."""

import click

__all__ = ["run"]

#: Labelling on the same machine goes before.
NICE = 10


@click.command()
@click.option("--loglevel", default="INFO", show_default=True)
def run(loglevel: str) -> None:
    """Follow Orthanc, so that the index shows what it holds. One process a site; a second one waits."""
    import logging
    import os
    import signal
    import threading

    from workers.records.keeping import Keeper
    from workers.settings import Settings
    from workers.surroundings.records import room_for_records
    from workers.surroundings.start import surroundings

    logging.basicConfig(level=loglevel.upper(), format="[%(asctime)s: %(levelname)s] %(name)s %(message)s")
    settings = Settings.from_environment()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    keeper = Keeper(settings)
    os.nice(NICE)
    with surroundings(settings, room_for_records(settings), stop.set):
        keeper.keep(stop)
