"""The `msk` command: finds its subcommands in `workers/commands`, and imports only the one that runs."""

import importlib
import pkgutil
import sys
from typing import Any

import click

from workers import commands

__all__ = ["LazyGroup", "main"]

#: Errors with a message written for people, by the module that defines them. They end as one line.
#: A module that was never imported cannot have raised anything, so none is imported for this.
KNOWN_ERRORS = {
    "kombu.exceptions": ("OperationalError",),
    "mskmodel.radiograph": ("NotClassifiable",),
    "mskmodel.data.patient_key": ("SiteSecretError",),
    "mskmodel.phantoms.requirements": ("RenderingUnavailable",),
    "mskmodel.registry.version": ("RegistryError",),
    "mskmodel.data.snapshot": ("SnapshotError",),
    "redis.exceptions": ("ConnectionError", "TimeoutError"),
    "workers.pacs.http": ("OrthancError",),
    "workers.worker": ("MixedQueues", "ModelUnavailable"),
    "workers.pacs.send": ("SendError",),
    "workers.settings": ("InvalidSetting", "MissingSetting"),
    "workers.stack.errors": ("StackError",),
    "workers.supervision.service": ("ServiceError",),
    "workers.surroundings.finding": ("UnfitSurroundings",),
    "workers.metadata.truth": ("TruthError",),
}


def known_errors() -> tuple[type[BaseException], ...]:
    """The types of `KNOWN_ERRORS` whose modules are loaded."""
    found = (
        getattr(sys.modules[module], name, None)
        for module, names in KNOWN_ERRORS.items()
        if module in sys.modules
        for name in names
    )
    return tuple(error for error in found if error is not None)


class LazyGroup(click.Group):
    """A group whose subcommand `foo-bar` is the object `command` of the module `workers.commands.foo_bar`."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's signature)
        """Names of all subcommands, sorted."""
        return sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(commands.__path__))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The subcommand of that name; None when there is none, which click reports."""
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"{commands.__name__}.{cmd_name.replace('-', '_')}")
        command = module.command
        if not isinstance(command, click.Command):
            raise TypeError(f"{module.__name__}.command is no click command")
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the subcommand; an error that is written for people ends as one line and status 1."""
        try:
            return super().invoke(ctx)
        except known_errors() as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="msk-labeller", prog_name="msk")
def main() -> None:
    """Label musculoskeletal radiographs in an Orthanc PACS.

    `msk demo` shows all of it on this machine; `msk doctor` says what is missing.
    """


if __name__ == "__main__":
    main()
