"""`msk jobs list`, `show`, `watch` and `cancel`."""

import getpass
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workers.sentences import sentence_of
from workers.terminal.options import json_option, state_option

if TYPE_CHECKING:
    from workers.jobs.store import Job, JobStore
    from workers.settings import Settings

__all__ = ["cancel", "connect", "list_latest", "show", "watch", "watch_to_its_end"]

#: Seconds between two looks at a job that is watched.
POLL_SECONDS = 0.5
#: Seconds that a job may wait, and no other run, before it is asked whether there is a train worker.
IDLE_SECONDS = 30.0


@click.command("list")
@click.option("--count", type=click.IntRange(1), default=20, show_default=True, help="The latest.")
@json_option
@state_option
def list_latest(count: int, as_json: bool, state: Path | None) -> None:
    """List the latest jobs, the newest first."""
    store = connect(state)[1]
    jobs = store.latest(count)
    if as_json:
        click.echo(json.dumps([job.to_dict() for job in jobs], indent=1, allow_nan=False))
        return
    for job in jobs:
        came_out = f"  {job.version}" if job.version else ""
        click.echo(f"{job.id}  {job.submitted:%Y-%m-%d %H:%M}  {job.author:<12}  {_where(store, job)}{came_out}")


@click.command()
@click.argument("job")
@json_option
@state_option
def show(job: str, as_json: bool, state: Path | None) -> None:
    """Show a job: its request, its progress and its log."""
    store = connect(state)[1]
    found = _find(store, job)
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=1, allow_nan=False))
        return
    click.echo(f"{found.id}  {_where(store, found)}")
    for name, value in json.loads(found.request.to_json()).items():
        shown = f"{len(value)} named" if name == "instances" and value else value
        click.echo(f"  {name:<10} {shown}")
    for time, text in found.log:
        click.echo(f"  {time:%Y-%m-%d %H:%M:%S}  {text}")


@click.command()
@click.argument("job")
@state_option
def watch(job: str, state: Path | None) -> None:
    """Watch a job to its end; exit status 0 if its model may be served. Ctrl-C does not touch the job."""
    watch_to_its_end(connect(state)[1], job)


@click.command()
@click.argument("job")
@state_option
def cancel(job: str, state: Path | None) -> None:
    """Cancel a job that waits, runs, or awaits approval."""
    from workers.jobs.store import CANCELLED, CANCELLING, RUNNING

    store = connect(state)[1]
    before = _find(store, job)
    after = store.cancel(job, getpass.getuser())
    if after not in (CANCELLED, CANCELLING) or before.state == CANCELLED:
        now = "is being registered as a new version" if after == RUNNING else f"is {after}"
        raise click.ClickException(f"it is too late to cancel: job {job} {now}")
    click.echo(f"{job} is {after}")


def connect(state: Path | None) -> "tuple[Settings, JobStore]":
    from workers.jobs.store import JobStore
    from workers.stack.discovery import find_settings

    settings = find_settings(state)
    return settings, JobStore.of(settings)


def _find(store: "JobStore", job_id: str) -> "Job":
    job = store.find(job_id)
    if job is None:
        raise click.ClickException(f"there is no job {job_id}: msk jobs list")
    return job


def _where(store: "JobStore", job: "Job") -> str:
    """In a few words."""
    if job.state == "running":
        return f"running: {job.phase or 'starting'} {job.done}/{job.total}" if job.alive else _silence(store)
    return f"{job.state}: {job.reason}" if job.reason else job.state


def _silence(store: "JobStore") -> str:
    """Why a job that runs gives no sign of life."""
    from redis import RedisError

    try:
        store.try_to_write()
    except RedisError as error:
        return f"running, but no sign of life can arrive: {sentence_of(error) or 'the broker fails'}"
    return "its worker has died"


def watch_to_its_end(store: "JobStore", job_id: str) -> None:
    """Raises SystemExit with status 1 where nothing came of it."""
    import time

    from redis import RedisError

    job = _find(store, job_id)
    told, warned = 0, False
    with _bar() as (show_job, tell):
        while True:
            for when, text in job.log[told:]:
                tell(f"{when:%H:%M:%S}  {text}")
            told = len(job.log)
            if job.ended:
                break
            show_job(job)
            time.sleep(POLL_SECONDS)
            try:
                job = _find(store, job_id)
                if not warned and _is_left_lying(store, job):
                    tell("no train worker has begun it, or any other job: msk worker --queues train")
                    warned = True
            except RedisError:
                continue  # it comes back, and the job with it
    if not job.succeeded:
        raise SystemExit(1)


def _is_left_lying(store: "JobStore", job: "Job") -> bool:
    """Whether nobody has begun it for so long that there may be nobody who would."""
    from datetime import UTC, datetime

    waits = (datetime.now(UTC) - job.changed).total_seconds() > IDLE_SECONDS
    return job.state == "queued" and waits and not any(other.alive for other in store.latest())


@contextmanager
def _bar() -> Iterator[Any]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[more]}"))
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None, more="")

        def show_job(job: "Job") -> None:
            what = (job.phase or "starting") if job.state == "running" and job.alive else job.state
            bar.update(task, description=what, completed=job.done, total=job.total or None, more=_figures(job))

        yield show_job, lambda line: bar.console.print(line, highlight=False, markup=False, soft_wrap=True)


def _figures(job: "Job") -> str:
    """Loss, accuracy, time left, as far as they are known."""
    if job.phase != "training":
        return ""
    loss = "" if job.loss is None else f"loss {job.loss:.3f}"
    accuracy = "" if job.accuracy is None else f"accuracy {job.accuracy:.3f}"
    left = "" if job.seconds_left is None else f"{int(job.seconds_left) // 60}:{int(job.seconds_left) % 60:02d} left"
    return "  ".join(part for part in (loss, accuracy, left) if part)
