"""The options of every command that starts a stack."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from workers.stack.data_directory import default_data
from workers.stack.options import Options
from workers.terminal.options import device_option

__all__ = ["data_option", "stack_options"]

PORT = click.IntRange(0, 65535)


def data_option(name: str = "msk") -> Callable[[Any], Any]:
    """`--data`: the data directory, by default the folder `name` among the user's data."""
    return click.option(
        "--data",
        type=click.Path(file_okay=False, path_type=Path),
        default=lambda: default_data(name),
        show_default=f"$MSK_DATA or ~/.local/share/{name}",
        help="Folder for all data of the stack.",
    )


def stack_options(name: str = "msk") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The options that make an `Options`, which the command gets as its first argument."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @data_option(name)
        @click.option(
            "--state",
            type=click.Path(dir_okay=False, path_type=Path),
            help="Also write addresses, credentials and process ids to this file.",
        )
        @_port("orthanc", "Orthanc's REST API and pages")
        @_port("dicom", "Orthanc's DICOM receiver")
        @_port("gateway", "the gateway")
        @_port("broker", "Valkey")
        @click.option("--workers", type=click.IntRange(1), help="Processes that label.  [default: one per core]")
        @device_option
        @functools.wraps(function)
        def command(
            data: Path,
            state: Path | None,
            orthanc_port: int,
            dicom_port: int,
            gateway_port: int,
            broker_port: int,
            workers: int | None,
            device: str,
            **others: Any,
        ) -> Any:
            ports = {"orthanc": orthanc_port, "dicom": dicom_port, "gateway": gateway_port, "broker": broker_port}
            return function(Options(data, state, ports, workers or 0, device), **others)

        decorated: Callable[..., Any] = command
        return decorated

    return decorate


def _port(service: str, what: str) -> Callable[[Any], Any]:
    return click.option(
        f"--{service}-port",
        type=PORT,
        metavar="N",
        default=0,
        help=f"Port of {what}.  [default: the last one, or a free one]",
    )
