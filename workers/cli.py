"""The `msk` command: finds its subcommands in `workers/commands`, and imports only the one that runs."""

import importlib
import io
import pkgutil
import sys
from typing import Any

import click

from workers import commands
from workers.sentences import sentence_of

__all__ = ["LazyGroup", "main"]


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
        """Run the subcommand; an error that has a sentence ends as one line and status 1."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # whoever read the output has gone, and click ends quietly
            raise
        except Exception as error:
            sentence = sentence_of(error)
            if sentence is None:
                raise
            raise click.ClickException(sentence) from error


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="msk-labeller", prog_name="msk")
def main() -> None:
    """Label musculoskeletal radiographs in an Orthanc PACS.

    `msk demo` shows all of it on this machine; `msk doctor` says what is missing.
    """
    # A file's name need not be text, and a terminal need not know every character: show what it cannot print as \\x...
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    main()
