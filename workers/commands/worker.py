"""`msk worker`: take tasks from queues; all that a new GPU host needs."""

import os

import click

__all__ = ["command"]


@click.command()
@click.option("--queues", default="label,label.backfill", show_default=True, help="Queues, the most urgent first.")
@click.option("--device", default="auto", envvar="MSK_DEVICE", show_default=True, help="auto, cpu or cuda:N.")
@click.option("--concurrency", type=click.IntRange(1), help="Processes, each with one decoder and one model [cores].")
@click.option("--beat", is_flag=True, help="Schedule the sweep too. For exactly one worker of the whole system.")
@click.option("--name", default="", help="Name of this worker, unique on its host [the first queue's name].")
@click.option("--loglevel", default="INFO", show_default=True)
def command(queues: str, device: str, concurrency: int | None, beat: bool, name: str, loglevel: str) -> None:
    """Take tasks from queues: label radiographs, train, sweep."""
    from workers.broker.queues import INSTANCE_QUEUES, MAINTENANCE, TRAIN
    from workers.worker import run_worker

    names = tuple(queue.strip() for queue in queues.split(",") if queue.strip())
    known = (*INSTANCE_QUEUES, TRAIN, MAINTENANCE)
    if not names or not set(names) <= set(known):
        raise click.BadParameter(f"give some of {', '.join(known)}, with commas between", param_hint="--queues")
    os.environ["MSK_DEVICE"] = device  # the children are fresh interpreters and read it from here
    run_worker(names, concurrency or os.cpu_count() or 1, beat=beat, name=name or names[0], loglevel=loglevel)
