"""`msk` as it is typed, in this process."""

from click.testing import CliRunner, Result

from workers.cli import main


def msk(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))
