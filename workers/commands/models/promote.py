"""`msk models promote` and `rollback`: which version serves from now on."""

import getpass
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.jobs.store import Job, JobStore

__all__ = ["promote", "rollback"]

T = TypeVar("T")


@click.command()
@click.argument("version")
@click.option("--anyway", is_flag=True, help="Even if the gate refused it or its job was cancelled.")
def promote(version: str, anyway: bool) -> None:
    """Serve VERSION from now on (`shipped` = the one that came with the program)."""
    from mskmodel.registry import AnotherServes
    from mskmodel.registry.classifier import Classifier
    from mskmodel.registry.standing import VersionFacts
    from workers.jobs.promotion import objection
    from workers.terminal.chosen_version import open_registry

    registry = open_registry()
    facts = VersionFacts.of(registry, registry.find(version))
    job = facts.manifest.get("job")
    if not anyway and (said := objection(facts, _found(str(job)) if job else None)):
        raise click.ClickException(f"{said}. To serve it all the same: --anyway")
    Classifier.load(registry.find(version), "cpu")  # asks it about the known pictures
    try:
        registry.promote(version, instead_of=facts.verdict["against"] if facts.verdict else None)
    except AnotherServes as error:
        click.echo(f"{error}; compare them with: msk models compare {error.served} {facts.name}", err=True)
        registry.promote(version)
    click.echo(f"serving {facts.name}")
    if job:
        _approve(str(job))


@click.command()
def rollback() -> None:
    """Serve the version that was served before; each repetition goes one version further back."""
    from mskmodel.registry.standing import VersionFacts
    from workers.terminal.chosen_version import open_registry

    registry = open_registry()
    before = registry.promoted_name()
    name = registry.rollback()
    click.echo(f"serving {VersionFacts.of(registry, registry.find(name)).name} again, no longer {before}")


def _found(job: str) -> "Job | None":
    """The job; None, with a message, if its record cannot be reached."""
    return _in_record(job, lambda store: store.find(job), "whether it was cancelled is not known")


def _approve(job: str) -> None:
    """Mark the job as promoted. If its record cannot be reached, the version is served all the same."""
    again = "if the job awaits approval, promote again when the broker answers"
    _in_record(job, lambda store: store.approve(job, getpass.getuser()), again)


def _in_record(job: str, do: "Callable[[JobStore], T]", otherwise: str) -> "T | None":
    """What `do` returns; None, with a message that ends in `otherwise`, if the job's record cannot be reached."""
    from redis import RedisError

    from workers.jobs.store import JobStore
    from workers.settings import InvalidSetting, MissingSetting
    from workers.stack.discovery import find_settings
    from workers.stack.errors import StackError

    try:
        return do(JobStore.of(find_settings(None)))
    except (RedisError, StackError, InvalidSetting, MissingSetting) as error:
        click.echo(f"the record of job {job} cannot be reached ({error}): {otherwise}", err=True)
        return None
