"""The command line imports what it runs and nothing else, and says in one line what went wrong."""

import json
import pkgutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from workers import cli, commands
from workers.cli import main
from workers.sentences import OWN
from workers.stack.errors import StackError

COMMANDS = sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(commands.__path__))
HEAVY = ("torch", "numpy", "pydicom", "celery", "fastapi", "requests", "redis", "rich", "skimage", "scipy")


def msk(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run((sys.executable, "-m", "workers.cli", *arguments), capture_output=True, text=True)


def test_every_file_in_commands_is_a_subcommand_with_help() -> None:
    assert {"up", "down", "status", "doctor", "demo"} <= set(COMMANDS)
    for name in COMMANDS:
        result = CliRunner().invoke(main, [name, "--help"])
        assert result.exit_code == 0, result.output
        assert result.output.startswith(f"Usage: main {name}")


def test_help_lists_every_subcommand_with_a_sentence() -> None:
    lines = CliRunner().invoke(main, ["--help"]).output.partition("Commands:")[2].splitlines()
    listed = dict(line.split(maxsplit=1) for line in lines if line.startswith("  ") and line[2] != " ")
    assert sorted(listed) == COMMANDS
    assert all(listed.values())


def test_help_needs_nothing_but_click() -> None:
    """Whatever else is imported makes people wait before they see anything."""
    code = (
        "import sys; before = set(sys.modules); from workers.cli import main; "
        "main(['--help'], standalone_mode=False); "
        "print(*{name.partition('.')[0] for name in set(sys.modules) - before} - sys.stdlib_module_names)"
    )
    shown = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=True).stdout
    assert set(shown.splitlines()[-1].split()) == {"click", "workers"}


def test_help_of_every_subcommand_imports_nothing_heavy() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from workers.cli import main; "
        f"[CliRunner().invoke(main, [name, '--help']) for name in {COMMANDS!r}]; "
        f"print(*sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    shown = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=True).stdout
    assert shown.split() == []


def test_an_unknown_subcommand_is_a_usage_error() -> None:
    result = msk("no-such-command")
    assert result.returncode == 2
    assert "No such command 'no-such-command'" in result.stderr


def test_the_version_is_that_of_the_distribution() -> None:
    assert msk("--version").stdout == f"msk, version {metadata.version('msk-labeller')}\n"


def test_an_error_written_for_people_ends_as_one_line_and_status_1(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def failing() -> None:
        raise StackError("the moon is in the way")

    monkeypatch.setattr(cli.LazyGroup, "get_command", lambda *_: failing)
    result = CliRunner().invoke(main, ["failing"])
    assert result.exit_code == 1
    assert result.output == "Error: the moon is in the way\n"


def test_a_mistake_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def failing() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(cli.LazyGroup, "get_command", lambda *_: failing)
    assert isinstance(CliRunner().invoke(main, ["failing"]).exception, ZeroDivisionError)


@pytest.mark.parametrize("module", sorted(OWN))
def test_every_error_of_our_own_with_a_sentence_exists(module: str) -> None:
    loaded = pytest.importorskip(module)
    assert all(issubclass(getattr(loaded, name), Exception) for name in OWN[module])


def test_status_of_a_folder_where_nothing_runs(tmp_path: Path) -> None:
    result = msk("status", "--data", str(tmp_path), "--json")
    assert result.returncode == 1
    assert json.loads(result.stdout) == {"running": False}


def test_down_where_nothing_runs_is_no_error(tmp_path: Path) -> None:
    result = msk("down", "--data", str(tmp_path))
    assert result.returncode == 0
    assert "nothing runs" in result.stdout


def test_a_train_worker_takes_no_other_queue() -> None:
    result = msk("worker", "--queues", "label,train")

    assert result.returncode == 1
    assert "a train worker takes no other queue" in result.stderr
    assert "Traceback" not in result.stderr
