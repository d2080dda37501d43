"""An installed wheel is whole: a stack runs from it, with no checkout anywhere near."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.local_stack import LocalStack
from tests.waiting import until

pytestmark = pytest.mark.stack

ROOT = Path(__file__).parents[2]
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
PACS_SIDE = {"orthanc.json", "webhook.py", "LICENSE"}
#: What images are built with.
RECIPES = {"workers/Dockerfile", "workers/broker.Dockerfile", "workers/valkey.conf"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built from a copy: what a build leaves behind would get into the next one."""
    copy, folder = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("wheel")
    for name in ("workers", "mskmodel", "orthanc"):
        shutil.copytree(ROOT / name, copy / name)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    options = ("--no-deps", "--no-build-isolation", "--wheel-dir", str(folder))
    subprocess.run((*PIP, "wheel", *options, str(copy)), check=True)
    return next(folder.iterdir())


@dataclass(frozen=True)
class Installation:
    """A virtual environment."""

    folder: Path

    @property
    def packages(self) -> Path:
        """Its site-packages."""
        return Path(sysconfig.get_path("purelib", "venv", {"base": str(self.folder)}))

    @property
    def msk(self) -> str:
        """Its command line."""
        return str(self.folder / "bin" / "msk")

    def imported(self, package: str) -> Path:
        """The file that its interpreter imports a package from."""
        command = (str(self.folder / "bin" / "python"), "-P", "-c", f"import {package}; print({package}.__file__)")
        return Path(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())


@pytest.fixture(scope="module")
def installation(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """The wheel in an environment of its own, which sees what the wheel needs in the one that runs the tests."""
    made = Installation(tmp_path_factory.mktemp("installation"))
    venv.create(made.folder, symlinks=True)
    # Only a folder of modules that way: the files in it that name checkouts are not read.
    (made.packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    python = str(made.folder / "bin" / "python")
    subprocess.run((*PIP, "--python", python, "install", "--no-index", "--no-deps", str(wheel)), check=True)
    return made


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside the checkout, in the folder and in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    for name in [name for name in os.environ if name.startswith("MSK_")]:
        monkeypatch.delenv(name)


def test_a_wheel_holds_every_file_of_the_packages_and_orthancs_side_and_nothing_else(wheel: Path) -> None:
    files = [file for package in ("workers", "mskmodel") for file in (ROOT / package).rglob("*") if file.is_file()]
    there = {str(file.relative_to(ROOT)) for file in files if file.suffix != ".pyc"}
    with ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == there - RECIPES | {f"workers/stack/orthanc/{name}" for name in PACS_SIDE}


def test_a_phantom_is_labelled_by_a_stack_from_the_wheel(installation: Installation, tmp_path: Path) -> None:
    for package in ("workers", "mskmodel"):
        assert installation.imported(package) == installation.packages / package / "__init__.py"
    with LocalStack.running(tmp_path, program=(installation.msk,)) as stack:
        assert str(installation.packages) in Path(f"/proc/{stack.pid('orthanc')}/cmdline").read_text()
        stack.msk("phantom", "make", "phantoms", "--count", "1", "--only", "knee_lateral")
        sent = json.loads(stack.msk("send", "phantoms", "--state", str(stack.state_file), "--json").stdout)
        instance_id = stack.orthanc.lookup(sent["files"][0]["sop_instance_uid"])
        assert instance_id is not None
        until(lambda: "MskLabel" in stack.orthanc.metadata(instance_id), seconds=60)
        assert stack.orthanc.metadata(instance_id)["MskLabel"] == "knee_lateral"
    assert stack.processes == []


@pytest.fixture
def incomplete(installation: Installation) -> Iterator[Path]:
    """Orthanc's side of an installation that has lost its plugin script."""
    folder = installation.packages / "workers" / "stack" / "orthanc"
    lost = (folder / "webhook.py").rename(folder / "lost")
    yield folder
    lost.rename(folder / "webhook.py")


def test_what_an_installation_has_lost_is_named_with_what_brings_it_back(
    installation: Installation, incomplete: Path, tmp_path: Path
) -> None:
    stack = LocalStack(tmp_path, program=(installation.msk,))
    told = stack.msk("doctor", "--json", "--data", str(stack.data), check=False)
    found = {finding["name"]: finding for finding in json.loads(told.stdout)}
    fix = "pip install --force-reinstall --no-deps msk_labeller-*.whl"
    assert found["Orthanc's configuration"]["detail"] == f"webhook.py not in {incomplete}"
    assert found["Orthanc's configuration"]["fix"] == fix
    assert found["Model"]["status"] == "ok"
    refused = stack.msk("up", "--data", str(stack.data), check=False)
    assert refused.returncode == 1
    assert fix in refused.stderr
