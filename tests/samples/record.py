"""Records the data directory of a version, as README.md here says: `python -m tests.samples.record MSK NAME`.

MSK is the program `msk` of that version, in a virtual environment of its own. NAME.tar.xz and NAME.json are written
here: the directory as after a power cut, and what the version itself said of it just before.
"""

import json
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import cv2
import numpy as np
import pydicom
from numpy.typing import NDArray
from redis import Redis

from mskmodel.data.patient_key import FILE
from mskmodel.dicom.writing import Header, write_dx
from tests import dicom_files
from tests.local_stack import LocalStack
from tests.waiting import until

HERE = Path(__file__).parent
#: What patients are told apart by, so that `HELD_OUT` is one of those that are held out.
SECRET = "07" * 32
HELD_OUT = "held out"
#: The smallest training job that there is, and one that changes nothing by itself.
JOB = ("--classes", "knee_ap,knee_lateral", "--epochs", "1", "--views", "50", "--rehearsal", "0", "--minimum", "1")
#: Belongs to one start of a stack, is written anew at each, and names this machine.
NOT_KEPT = {"lock", "logs", "state.json", "broker/valkey.conf"}


class Recording(LocalStack):
    """A stack of the version that is recorded, and the names of the instances in it."""

    def __init__(self, msk: Path, folder: Path) -> None:
        super().__init__(folder)
        self.program, self._python = (str(msk),), msk.with_name("python")
        self._phantoms = _small_phantoms(self, folder / "phantoms")
        self.ids: dict[str, str] = {}
        (self.data / "models").mkdir(parents=True)
        (self.data / "models" / FILE).write_text(SECRET)

    def store(self, name: str, file: bytes) -> None:
        self.ids[name] = self.orthanc.upload(file)

    def phantom(self, name: str, label: str) -> None:
        """Store the next phantom of the class, of a patient of that name."""
        pixels = self._phantoms[label].pop(0)
        self.store(name, write_dx(pixels, header=Header(identity=name, patient_id=name), bits=8))

    def truth(self, name: str, label: str, author: str) -> None:
        self.msk("truth", "set", self.ids[name], label, "--author", author)

    def job(self) -> str:
        return self.msk("jobs", "submit", "--author", "ann", "--approve", *JOB).stdout.strip()

    def promote_constant(self) -> None:
        """A version of this site's own, served once before and now again."""
        command = (str(self._python), str(HERE / "constant_version.py"), str(self.data / "models"))
        version = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
        self.msk("models", "promote", version)
        self.msk("models", "rollback")
        self.msk("models", "promote", version)

    def signal(self, name: str, number: signal.Signals) -> None:
        """To a service and its children."""
        pid = self.pid(name)
        assert pid
        os.killpg(pid, number)

    @property
    def broker(self) -> Redis:
        return Redis.from_url(self.state["broker"]["url"], decode_responses=True)

    def said(self) -> dict[str, object]:
        """What the recorded version says of its data."""
        return {
            "made by": self.msk("--version").stdout.strip(),
            "instances": {name: {"id": i, "metadata": self._metadata(i)} for name, i in self.ids.items()},
            "jobs": json.loads(self.msk("jobs", "list", "--json").stdout),
            "promotions": json.loads(self.msk("models", "list", "--json").stdout)["history"],
            "cursor": int(self.broker.get("msk:cursor")),
        }

    def _metadata(self, instance_id: str) -> dict[str, str]:
        return {name: value for name, value in self.orthanc.metadata(instance_id).items() if name.startswith("Msk")}


def _small_phantoms(stack: LocalStack, folder: Path) -> dict[str, list[NDArray[np.uint8]]]:
    """Four of each class, (96, 96) at most, 8 bits."""
    classes = ("knee_ap", "knee_lateral")
    only = [argument for label in classes for argument in ("--only", label)]
    stack.msk("phantom", "make", str(folder), "--count", "8", "--seed", "5", *only)
    return {label: [_small(file) for file in sorted(folder.glob(f"{label}*.dcm"))] for label in classes}


def _small(file: Path) -> NDArray[np.uint8]:
    ds = pydicom.dcmread(file)
    pixels = ds.pixel_array.astype(np.float32)
    if ds.PhotometricInterpretation == "MONOCHROME1":
        pixels = pixels.max() - pixels
    scale = 96 / max(pixels.shape)
    small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(np.round((small - small.min()) / np.ptp(small) * 255), np.uint8)


def _noise(name: str) -> bytes:
    pixels = np.random.default_rng(1).integers(0, 256, (64, 64), dtype=np.uint8)
    return write_dx(pixels, header=Header(identity=name, patient_id=name), bits=8)


def _file(name: str) -> bytes:
    files = (*dicom_files.other_files(), *dicom_files.hostile_files())
    return next(file.data for file in files if file.name == name)


def live(stack: Recording) -> None:
    """Everything that ends: outcomes of each status, truths, promotions; then a proper end, and another start."""
    stack.up()
    stack.store("skipped", _file("CT"))
    stack.store("failed", _file("truncated JPEG"))
    for name in ("needs-review", "none of the classes"):
        stack.store(name, _noise(name))
    for name in (HELD_OUT, "backfill"):
        stack.phantom(name, "knee_ap")
    for name in ("labelled", "confirmed", "corrected", "withdrawn"):
        stack.phantom(name, "knee_lateral")
    until(lambda: all(stack.outcome(each) for each in stack.ids.values()), 60)
    for name, label in ((HELD_OUT, "knee_ap"), ("confirmed", "knee_lateral"), ("corrected", "knee_lateral")):
        stack.truth(name, label, "ann")
    stack.truth("corrected", "knee_ap", "ben")
    stack.truth("withdrawn", "knee_ap", "ann")
    stack.truth("none of the classes", "", "ann")
    stack.msk("truth", "withdraw", stack.ids["withdrawn"], "--author", "ben")
    stack.promote_constant()
    stack.down()
    stack.up()


def start_jobs(stack: Recording) -> None:
    """One that has collected what it learns from and is held there, one that waits, one that was cancelled."""
    running, _, cancelled = (stack.job() for _ in range(3))
    stack.msk("jobs", "cancel", cancelled)
    folder = stack.data / "models" / "jobs" / running
    until((folder / "collected").exists, 60)
    for pid in stack.processes:
        if running in Path(f"/proc/{pid}/cmdline").read_text():
            os.kill(pid, signal.SIGSTOP)
    assert not (folder / "checkpoint.safetensors").exists()


def leave_open(stack: Recording) -> None:
    """Instances without an outcome: leased, waiting in either queue, and one that nobody has told of."""
    broker = stack.broker
    os.kill(stack.supervisor, signal.SIGSTOP)  # it starts nothing again from here on
    for name in ("beat", "label-worker"):
        stack.signal(name, signal.SIGSTOP)
    stack.phantom("leased", "knee_ap")
    entry = f"msk:entry:{stack.ids['leased']}"
    until(lambda: broker.exists(entry))
    stack.signal("orthanc", signal.SIGSTOP)
    stack.signal("label-worker", signal.SIGCONT)
    until(lambda: broker.hget(entry, "began"))
    stack.signal("label-worker", signal.SIGKILL)
    stack.signal("orthanc", signal.SIGCONT)
    stack.phantom("waiting", "knee_ap")
    until(lambda: broker.llen("label"))
    stack.orthanc.delete_metadata(stack.ids["backfill"], "MskPrediction")
    stack.msk("audit", "--fix", check=False)
    stack.signal("gateway", signal.SIGKILL)
    stack.store("untold", _noise("untold"))


def cut_the_power(stack: Recording) -> None:
    for pid in (stack.supervisor, *stack.processes):
        os.kill(pid, signal.SIGKILL)
    until(lambda: not stack.processes)


def pack(data: Path, archive: Path) -> None:
    """Owners and group of this machine's user are left out, and what `NOT_KEPT` names."""

    def kept(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        return None if member.name.removeprefix("data/") in NOT_KEPT else member

    with tarfile.open(archive, "w:xz", preset=9) as file:
        file.add(data, "data", filter=kept)


def main(msk: Path, name: str) -> None:
    os.environ["LOGNAME"] = "ann"  # who cancels a job
    with tempfile.TemporaryDirectory() as folder:
        stack = Recording(msk, Path(folder))
        live(stack)
        start_jobs(stack)
        leave_open(stack)
        (HERE / f"{name}.json").write_text(json.dumps(stack.said(), indent=1) + "\n")
        cut_the_power(stack)
        pack(stack.data, HERE / f"{name}.tar.xz")


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute(), sys.argv[2])
