"""A site to train at: a real Orthanc with images that have truths, a broker, and a model registry."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from mskmodel.data.dataset import STORED, Pictures
from mskmodel.data.patient_key import FILE
from mskmodel.dicom.writing import Header, write_dx
from mskmodel.network.alexnet import AlexNet, Architecture
from mskmodel.network.preprocessing import Preprocessing
from mskmodel.registry import Registry
from mskmodel.registry.classifier import Classifier
from mskmodel.training.loop import TrainingSettings
from mskmodel.versions.conversion import version_of
from tests.servers import Orthanc, free_port, running_orthanc
from tests.waiting import until
from workers.broker.celery_app import publisher
from workers.jobs.request import JobRequest
from workers.jobs.store import Job, JobStore
from workers.jobs.submission import submit
from workers.ledger import Ledger
from workers.metadata.truth_changes import set_truth
from workers.pacs import OrthancClient
from workers.reconciliation.sweep import revive_jobs
from workers.settings import Settings
from workers.stack.readiness import broker_answers
from workers.stack.services import broker_binary

CLASSES = ("stripes", "disc")


def drawn(kind: str, seed: int) -> NDArray[np.uint16]:
    """Stripes or a disc, (96, 80) of 12 bits."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:96, 0:80] / 96
    picture = np.sin(40 * x + random.uniform(0, 6)) > 0 if kind == "stripes" else np.hypot(x - 0.4, y - 0.5) < 0.3
    noise = random.integers(0, 400, picture.shape)
    return np.asarray(picture * 3000 + noise, np.uint16)


class Broker:
    """A Valkey to kill."""

    def __init__(self, data: Path) -> None:
        self._data, self.port = data, free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        data.mkdir()

    @classmethod
    @contextmanager
    def running(cls, data: Path) -> Iterator["Broker"]:
        broker = cls(data)
        broker.start()
        try:
            yield broker
        finally:
            broker.kill()

    def start(self) -> None:
        binary = broker_binary()
        assert binary
        command = (binary, "--port", str(self.port), "--dir", str(self._data), "--appendonly", "yes", "--save", "")
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        until(lambda: broker_answers(self.url))

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


class Site:
    """Everything that a training job needs but the worker."""

    def __init__(self, server: Orthanc, broker: "Broker", models: Path) -> None:
        self.broker, broker_url = broker, broker.url
        self.registry, self.store, self.ledger = Registry(models), JobStore(broker_url), Ledger(broker_url)
        self.orthanc = OrthancClient(server.url, server.user, server.password)
        self.environment = server.access | {
            "MSK_BROKER_URL": broker_url,
            "MSK_MODELS": str(models),
            "MSK_DEVICE": "cpu",
        }
        self.app = publisher(Settings.from_environment(self.environment))
        self.instances: dict[str, str] = {}

    @classmethod
    @contextmanager
    def opened(cls, folder: Path, patients: int = 30) -> Iterator["Site"]:
        """A site with an image and its truth for each of so many patients, where an untrained model is served."""
        with running_orthanc(folder / "orthanc") as server, Broker.running(folder / "valkey") as broker:
            site = cls(server, broker, folder / "models")
            site.keep_secret()
            site.registry.promote(site.register_untrained())
            for number in range(patients):
                site.store_image(number)
            yield site

    def keep_secret(self) -> None:
        """Fix the site's secret, so that patients have the same keys each time."""
        assert self.registry.root is not None
        self.registry.root.mkdir()
        (self.registry.root / FILE).write_text("07" * 32)

    def register_untrained(self, classes: Sequence[str] = CLASSES, others: Sequence[str] = (), **facts: str) -> str:
        """Register a version that guesses, with these additional facts in its manifest."""
        torch.manual_seed(3)
        outputs = len(classes) + len(others) + 1
        model = AlexNet(Architecture(outputs, (32,), (0,), others=len(others))).eval()
        nothing = Pictures(np.zeros((3, STORED, STORED), np.uint8), np.full((3, 2), STORED, np.int16), np.arange(3) % 3)
        settings = TrainingSettings(hidden=(32,), ranks=(0,))
        described = (model, classes, Preprocessing(), settings, [], nothing, "random")
        tensors, manifest = version_of(*described, others=others)
        return self.registry.register(tensors, manifest | facts)

    def store_image(self, number: int, truth: str | None = "", patient: str | None = None) -> str:
        """Store an image and set its truth, by default its own kind; returns its identifier."""
        kind = CLASSES[number % 2]
        header = Header(identity=f"image-{number}", patient_id=patient or f"patient-{number}")
        instance_id = self.orthanc.upload(write_dx(drawn(kind, number), header=header, bits=12))
        set_truth(self.orthanc, instance_id, kind if truth == "" else truth, "tester", (*CLASSES, "other"))
        self.instances[instance_id] = kind
        return instance_id

    def submit(self, **request: object) -> str:
        """Submit a small job, changed by these fields of its request; returns its identifier."""
        asked = {"epochs": 2, "views": 50, "rehearsal": 0, "rate": 0.003, **request}
        return submit(self.app, self.store, self.orthanc, self.registry, JobRequest.of(asked), "tester")

    def job(self, job_id: str) -> Job:
        job = self.store.find(job_id)
        assert job is not None
        return job

    def sweep(self) -> None:
        """What the scheduler does every few seconds."""
        revive_jobs(self.app, self.ledger, self.store)

    def msk(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command = (sys.executable, "-m", "workers.cli", *arguments)
        own = os.environ | self.environment | environment
        return subprocess.run(command, capture_output=True, text=True, env=own)

    @contextmanager
    def worker(self, log: Path, **environment: str) -> Iterator["Worker"]:
        """A train worker that runs."""
        worker = Worker(log, os.environ | self.environment | environment)
        try:
            yield worker
        finally:
            worker.kill()


def training_children(pid: int) -> list[int]:
    """Process ids of those children of a process that train."""
    found = Path("/proc").glob(f"{pid}/task/*/children")
    children = [int(child) for path in found for child in path.read_text().split()]
    return [child for child in children if b"training_job" in _command_of(child)]


def _command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:  # it has just ended
        return b""


class Worker:
    """`msk worker --queues train` in a session of its own."""

    def __init__(self, log: Path, environment: dict[str, str]) -> None:
        self._log, self._environment = log, environment
        self.start()

    def start(self) -> None:
        command = (sys.executable, "-m", "workers.cli", "worker", "--queues", "train", "--name", self._log.stem)
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                command, env=self._environment, stdout=log, stderr=log, start_new_session=True
            )

    @property
    def children(self) -> list[int]:
        """Process ids of those of its children that train."""
        return training_children(self.process.pid)

    def kill(self) -> None:
        """Kill it, as the kernel does when memory is short."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """Stop it, as a service manager does; returns its exit status."""
        self.process.terminate()
        return self.process.wait(30)


def logits_of(registry: Registry, version: str) -> NDArray[np.float32]:
    """A version's logits for four pictures of noise. Weights are not comparable: only products of factors are fixed."""
    images = np.random.default_rng(1).standard_normal((4, 3, 224, 224)).astype(np.float32)
    return Classifier.load(registry.find(version), "cpu").logits(images)
