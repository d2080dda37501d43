"""What a running stack shows: lines, each with the name of its process."""

import contextlib
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from workers.sentences import sentence_of

__all__ = ["Screen", "addresses", "welcome", "without_secrets"]

WIDTH = 12
COLOURS = {
    "orthanc": "cyan",
    "broker": "red",
    "gateway": "green",
    "label-worker": "yellow",
    "train-worker": "magenta",
    "beat": "blue",
    "records": "bright_cyan",
    "stack": "white",
}


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Print nothing more; rich itself would end the process."""
        self.quiet = True


class Screen:
    """Lines by name, in colour on a terminal.

    When nobody reads them any more (a closed terminal, the end of a pipe), the stack goes on without output.
    """

    def __init__(self) -> None:
        self._console = _Console()

    def say(self, name: str, what: str) -> None:
        """Show what became of a process."""
        self._print(Text.assemble(_name(name), (what, "bold")))

    def log(self, name: str, line: str) -> None:
        """Show what a process wrote."""
        self._print(Text.assemble(_name(name), (line, "dim")))

    def tell(self, line: str) -> None:
        """Show a line as it is."""
        self._print(Text(line))

    def _print(self, text: Text) -> None:
        with contextlib.suppress(OSError):
            self._console.print(text, soft_wrap=True, highlight=False)


def _name(name: str) -> tuple[str, str]:
    return f"{name:<{WIDTH}} | ", COLOURS.get(name, "white")


def addresses(state: Mapping[str, Any]) -> str:
    """The addresses to look at, and where the password is; nothing secret."""
    orthanc, data = state["orthanc"], state["data"]
    return "\n".join(
        (
            "",
            f"  Orthanc Explorer  {orthanc['url']}/app/explorer.html",
            f"                    user {orthanc['user']}, password: orthanc_password in {data}/secrets.json",
            f"  DICOM             {orthanc['dicom_aet']} at {orthanc['dicom_host']}:{orthanc['dicom_port']}",
            f"  Pages             {state['gateway']['url']}/",
            f"  Gateway           {state['gateway']['url']}/readyz",
            f"  Data and logs     {data}",
            "",
        )
    )


def welcome(state: Mapping[str, Any]) -> str:
    """The addresses of a stack that has just started, and how to sign in for the first time."""
    from sqlalchemy.exc import SQLAlchemyError

    from workers.stack.first_admin import first_link

    try:
        link = first_link(state)
    except (SQLAlchemyError, OSError) as error:
        said = sentence_of(error)
        if said is None:
            raise
        return f"{addresses(state)}\n  Nobody can sign in yet: {said}\n"
    if link is None:
        return addresses(state)
    return f"{addresses(state)}\n  Choose a password, and sign in to the pages; this link works once:\n  {link}\n"


def without_secrets(state: Mapping[str, Any]) -> dict[str, Any]:
    """The state without passwords, keys and the broker's address."""
    orthanc = {name: value for name, value in state["orthanc"].items() if name != "password"}
    rest = {name: value for name, value in state.items() if name not in ("webhook_secret", "api_token", "broker")}
    return rest | {"orthanc": orthanc}
