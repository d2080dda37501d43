"""What a job's folder remembers of its request, so that a job which a worker has begun outlives the broker's data."""

import json
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mskmodel.whole_file import write_whole
from workers.jobs.request import InvalidRequest, JobRequest
from workers.jobs.store import Job, JobStore

__all__ = ["CHECKPOINT", "REQUEST", "Remembered", "take_up_forgotten"]

#: In the job's folder until the job has ended: its request and, after the first epoch, the run of
#: the training that is under way. Earlier programs trained one run, in a file of another name.
REQUEST, CHECKPOINT = "request.json", "running.safetensors"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Remembered:
    """A job as its folder knows it."""

    id: str
    request: JobRequest
    author: str
    submitted: datetime

    @classmethod
    def keep(cls, folder: Path, job: Job) -> "Remembered":
        """Write it into the job's folder, which is made. Raises OSError."""
        kept = cls(job.id, job.request, job.author, job.submitted)
        folder.mkdir(parents=True, exist_ok=True)
        values = {"request": json.loads(job.request.to_json()), "author": job.author}
        write_whole(folder / REQUEST, json.dumps(values | {"submitted": job.submitted.isoformat()}).encode())
        return kept

    @classmethod
    def load(cls, folder: Path) -> "Remembered | None":
        """From the job's folder; None if it holds none, or another one than this program writes."""
        try:
            found = json.loads((folder / REQUEST).read_text())
            submitted = datetime.fromisoformat(found["submitted"]).astimezone(UTC)
            return cls(folder.name, JobRequest.of(found["request"]), str(found["author"]), submitted)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, InvalidRequest) as error:
            log.warning("request-unreadable job=%s reason=%s", folder.name, error)
            return None

    def restore(self, store: JobStore, owner: str = "") -> bool:
        """Make the broker know it again; ``owner``: the run that goes on. False if it needs no such thing."""
        restored = store.restore(self.id, self.request, self.author, self.submitted, owner)
        if restored:
            log.warning("job-forgotten job=%s: the broker has lost its record; it is taken up again", self.id)
        return restored


def take_up_forgotten(store: JobStore, models: Path) -> int:
    """Queue the jobs again that have a folder, and no record as the broker's data were lost; returns how many.

    Raises:
        redis.RedisError: the broker does not answer.
    """
    begun = [path.parent for path in (models / "jobs").glob(f"*/{REQUEST}")]
    lost = [folder for folder in begun if store.find(folder.name) is None]
    return sum(found.restore(store) for folder in lost if (found := Remembered.load(folder)))
