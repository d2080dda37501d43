"""`msk jobs submit`: ask for a training job."""

import getpass
import re
from pathlib import Path
from typing import Any

import click

from workers.commands.jobs.follow import connect, watch_to_its_end
from workers.terminal.bars import in_steps
from workers.terminal.options import state_option

__all__ = ["submit"]

_IDENTIFIER = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{8}){4}")


@click.command()
@click.option("--base", help="Version to start from, or imagenet.  [default: the one that is served]")
@click.option("--classes", help="Keys of the classes, with commas.  [default: those of the base]")
@click.option("--epochs", type=int, help="Passes of --views pictures in each of four runs.  [default: 2]")
@click.option("--views", type=int, help="Pictures drawn an epoch, whatever their number.  [default: 600]")
@click.option("--rate", type=float, help="Highest learning rate.  [default: 0.008]")
@click.option("--seed", type=int, help="Of everything that is random.  [default: 1]")
@click.option(
    "--instances",
    type=click.File("rb"),
    help="Orthanc identifiers, one a line, or a table with the column instance.  [default: all truths]",
)
@click.option("--rehearsal", type=int, help="Phantoms against forgetting; 0: no exemplars either.  [default: 260]")
@click.option("--minimum", type=int, help="Images to learn from that each class must have.  [default: 5]")
@click.option("--approve", is_flag=True, help="Wait for a person to promote what passed the gate.")
@click.option("--author", envvar="MSK_AUTHOR", show_envvar=True, help="Who asks for it.  [default: the user]")
@click.option("--watch", "watch_it", is_flag=True, help="Watch it to its end.")
@state_option
def submit(
    classes: str | None, instances: Any, author: str | None, watch_it: bool, state: Path | None, **chosen: Any
) -> None:
    """Submit a training job; prints its identifier.

    It learns from all instances with a truth, in four runs, each judged on a fourth of the patients that it left out.
    """
    from mskmodel.registry import Registry
    from mskmodel.tables.names import names_in
    from workers.broker.celery_app import publisher
    from workers.jobs.request import InvalidRequest, JobRequest
    from workers.jobs.submission import submit as submit_job
    from workers.pacs import OrthancClient

    given: dict[str, Any] = {name: value for name, value in chosen.items() if value is not None}
    if classes is not None:
        given["classes"] = [key.strip() for key in classes.split(",")]
    if instances is not None:
        given["instances"] = names_in(instances.read(), Path(instances.name), "instance", _IDENTIFIER)
    settings, store = connect(state)
    orthanc = OrthancClient.of(settings)
    try:
        request = JobRequest.of(given)
        with in_steps() as progress:
            arguments = (orthanc, Registry(settings.models), request, author or getpass.getuser(), progress)
            job_id = submit_job(publisher(settings), store, *arguments)
    except InvalidRequest as error:
        raise click.ClickException(str(error)) from error
    click.echo(job_id)
    if watch_it:
        watch_to_its_end(store, job_id)
