"""Finding the stack that a command is meant for: a state file, the environment, or the one that runs here."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workers.stack.data_directory import DataDirectory, default_data
from workers.stack.errors import StackError

if TYPE_CHECKING:
    from workers.settings import Settings

__all__ = ["environment_in", "environment_of", "find_settings", "local_state_file", "state_in"]


def find_settings(state_file: Path | None) -> "Settings":
    """Settings of the stack that wrote `state_file`; without one, the environment's, or the local stack's.

    Raises:
        StackError: there is none of them, or the state file cannot be used.
        MissingSetting: the environment names an Orthanc, but lacks another setting.
        InvalidSetting: a setting cannot be used.
    """
    from workers.settings import Settings

    if state_file is None and "MSK_ORTHANC_URL" in os.environ:
        return Settings.from_environment()
    state_file = state_file or local_state_file()
    if state_file is None:
        raise StackError(
            "no stack is named and none runs here: set MSK_ORTHANC_URL etc., give --state FILE, or start one: msk up"
        )
    return Settings.from_environment(environment_in(state_file))


def environment_in(state_file: Path) -> dict[str, str]:
    """`environment_of` the stack that wrote the state file. Raises StackError if the file cannot be used."""
    with state_in(state_file) as state:
        return environment_of(state)


@contextmanager
def state_in(state_file: Path) -> Iterator[Mapping[str, Any]]:
    """What a stack wrote into its state file. Raises StackError if the file, or what is looked up, is not there."""
    try:
        yield json.loads(state_file.read_text())
    except OSError as error:
        raise StackError(
            f"{state_file} cannot be read ({error.strerror}); is the stack up? start it with: msk up"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StackError(f"{state_file} is no state file of a local stack; it is written by msk up --state") from error


def local_state_file() -> Path | None:
    """State file of the stack that runs on the default data; None when none runs there."""
    data = DataDirectory(default_data())
    return data.state_file if data.holder() and data.state_file.is_file() else None


def environment_of(state: Mapping[str, Any]) -> dict[str, str]:
    """The MSK_ variables with which a command reaches a local stack, from its state."""
    return {
        "MSK_ORTHANC_URL": state["orthanc"]["url"],
        "MSK_ORTHANC_USER": state["orthanc"]["user"],
        "MSK_ORTHANC_PASSWORD": state["orthanc"]["password"],
        "MSK_BROKER_URL": state["broker"]["url"],
        "MSK_API_TOKEN": state.get("api_token", ""),
        "MSK_GATEWAY_URL": state["gateway"]["url"],
        "MSK_MODELS": str(DataDirectory(Path(state["data"])).models),
        "MSK_RECORDS": str(DataDirectory(Path(state["data"])).records),
        "MSK_RADIOGRAPHS": os.environ.get("MSK_RADIOGRAPHS", ""),  # the stack took it from there too
    }
