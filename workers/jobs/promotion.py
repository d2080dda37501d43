"""What speaks against serving a version, and the trial that it must pass before a person promotes it."""

import subprocess
import sys
from pathlib import Path

from mskmodel.judging.gate import Verdict
from mskmodel.registry import RegistryError
from mskmodel.registry.standing import VersionFacts
from workers.jobs.store import CANCELLED, Job

__all__ = ["objection", "try_apart"]

#: Seconds that a version has to load and to answer: mostly two, many where all processors are busy.
TRIAL_SECONDS = 120


def objection(facts: VersionFacts, job: Job | None) -> str | None:
    """Why it should not be served, in a sentence without its full stop; None if nothing is known against it.

    ``job``: the one that made it, as far as that is known.
    """
    if facts.verdict and not facts.verdict["passed"]:
        return f"the gate refused {facts.name}: {Verdict.from_json(facts.verdict).sentence}"
    if job and job.state == CANCELLED:
        return f"job {job.id}, which made it, was cancelled"
    return None


def try_apart(version: Path) -> None:
    """Ask the version in that directory about the known pictures, in a process of its own, which loads torch.

    Raises:
        RegistryError: it cannot be loaded, or its answers are no numbers.
    """
    command = (sys.executable, "-P", "-m", "mskmodel.registry.trial", str(version))
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TRIAL_SECONDS)
    except subprocess.TimeoutExpired:
        raise RegistryError(f"{version.name} was tried, and did not answer within {TRIAL_SECONDS} s") from None
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"the process of its trial ended with status {done.returncode}"]
        raise RegistryError(said[-1])
