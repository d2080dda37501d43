"""Finds and loads the model version that a command is given; errors are for the person who typed it."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from workers.stack.discovery import environment_in, local_state_file

if TYPE_CHECKING:
    from mskmodel.registry import Registry
    from mskmodel.registry.classifier import Classifier

__all__ = ["find_version", "load_classifier", "open_registry"]


def open_registry() -> "Registry":
    """The registry at MSK_MODELS, or else of the stack that runs here, or else one with the shipped version only.

    Raises StackError if the state file of the stack that runs here cannot be used.
    """
    from mskmodel.registry import Registry

    root = os.environ.get("MSK_MODELS")
    if not root and (state_file := local_state_file()):
        root = environment_in(state_file)["MSK_MODELS"]
    return Registry(Path(root) if root else None)


def find_version(model: str | None) -> Path:
    """Directory of a version: by its name, by its directory, or, for None, the one that is served."""
    registry = open_registry()
    if model is None:
        return registry.promoted()
    return Path(model) if Path(model).is_dir() else registry.find(model)


def load_classifier(model: str | None, device: str) -> "Classifier":
    """The classifier of a version; ``model`` as in ``find_version``."""
    from mskmodel.registry.classifier import Classifier

    try:
        return Classifier.load(find_version(model), device)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--device") from error
