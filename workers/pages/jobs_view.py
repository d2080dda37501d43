"""What the pages of training jobs show, in words and numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mskmodel.labels import BY_KEY
from mskmodel.tables.label_cell import NONE
from workers.jobs.request import InvalidRequest, JobRequest
from workers.jobs.store import AWAITING_APPROVAL, CANCELLED, FAILED, QUEUED, RUNNING, Job
from workers.pages.times import lasted, local_time
from workers.pages.wording import display, percent
from workers.records.new_truths import Said

__all__ = ["CANCELLABLE", "NUMBERS", "Curve", "Learnt", "Shown", "asked", "learnable", "learnt_last", "shown"]

#: States in which a job can be cancelled.
CANCELLABLE = (QUEUED, RUNNING, AWAITING_APPROVAL)
#: Fields of the form that are numbers, and what people are asked.
NUMBERS = {
    "epochs": "Epochs",
    "views": "Pictures an epoch",
    "rehearsal": "Phantoms to rehearse",
    "minimum": "Fewest pictures of a class",
}
#: Of a curve, in its own units: of the field in which it is drawn.
WIDTH, HEIGHT = 560.0, 150.0


@dataclass(frozen=True)
class Learnt:
    """A class, what people said of it, and what is missing for a job, in words."""

    key: str
    name: str
    count: int
    new: int
    missing: str


def learnt_last(jobs: Sequence[Job]) -> Job | None:
    """The last of the jobs, given newest first, that learned from truths, or will; None if none did."""
    return next((job for job in jobs if job.state not in (CANCELLED, FAILED)), None)


def learnable(said: Sequence[Said], classes: Sequence[str], kinds: Sequence[str], request: JobRequest) -> list[Learnt]:
    """The served version's classes, and those that people named besides; none of the classes last.

    ``kinds``: of none of the classes, that the version tells apart.
    """
    by_label = {each.label: each for each in said}
    others = sorted(set(by_label) - {*classes, NONE})
    found = []
    for key in (*classes, *others, NONE):
        each = by_label.get(key, Said(key, 0, 0))
        missing = _missing(key, each.count, classes, kinds, request)
        found.append(Learnt(key, display(key), each.count, each.new, missing))
    return found


def _missing(key: str, count: int, classes: Sequence[str], kinds: Sequence[str], request: JobRequest) -> str:
    if key == NONE:
        return ""
    if key in kinds:
        return "learned as one of none of the classes: tick it below to make it a class"
    is_rehearsed = key in BY_KEY and request.rehearsal > 0
    parts = []
    if key not in classes:
        parts.append("not a class of the served version: tick it below to have it learned")
    if count < request.minimum and not is_rehearsed:
        parts.append(f"{request.minimum - count} more")
    return "; ".join(parts)


def asked(form: Mapping[str, str], classes: Sequence[str], new: Sequence[str]) -> JobRequest:
    """The request that the form makes. ``new``: instances with a truth that is new. Raises InvalidRequest."""
    values: dict[str, Any] = {}
    for name, title in NUMBERS.items():
        text = form.get(name, "").strip()
        if text:
            if not (text.isascii() and text.isdigit() and len(text) < 10):
                raise InvalidRequest(f"{title.lower()} must be a whole number, not {text!r}")
            values[name] = int(text)
    added = sorted(name.removeprefix("class-") for name in form if name.startswith("class-"))
    if added:
        values["classes"] = [*classes, *(key for key in added if key not in classes)]
    if form.get("from") == "new":
        if not new:
            raise InvalidRequest("nothing new was said since the last job")
        values["instances"] = list(new)
    return JobRequest.of(values | {"approve": form.get("approve") == "1"})


@dataclass(frozen=True)
class Curve:
    """Loss and accuracy by epoch, as points of SVG's polylines."""

    loss: str
    accuracy: str
    most_loss: float
    epochs: int
    says: str


def _curve(job: Job) -> Curve | None:
    if not job.curve:
        return None
    epochs = max(job.epochs, len(job.curve))  # a job of an earlier version does not say how many it will have
    most = max(loss for loss, _ in job.curve) or 1.0

    def points(shares: Sequence[float]) -> str:
        step = WIDTH / max(1, epochs - 1)
        return " ".join(f"{number * step:.1f},{HEIGHT * (1 - share):.1f}" for number, share in enumerate(shares))

    loss, accuracy = job.curve[-1]
    right = percent(accuracy, 1)
    says = f"After epoch {len(job.curve)} of {epochs}: loss {loss:.3f}, accuracy on what it has not seen {right}"
    lines = (points([each / most for each, _ in job.curve]), points([each for _, each in job.curve]))
    return Curve(*lines, most, epochs, says)


@dataclass(frozen=True)
class Shown:
    """A job in words."""

    id: str
    author: str
    state: str
    submitted: str
    changed: str
    doing: str
    share: float | None
    """Of the phase, 0..1."""
    left: str
    reason: str
    version: str
    curve: Curve | None
    log: Sequence[tuple[str, str]]
    is_cancellable: bool
    request: JobRequest


def shown(job: Job) -> Shown:
    """A job as the page shows it."""
    runs = not job.ended and job.alive
    doing = job.phase if runs else ""
    share = min(1.0, job.done / job.total) if runs and job.total else None
    left = lasted(job.seconds_left) if runs and job.phase == "training" and job.seconds_left else ""
    return Shown(
        job.id,
        job.author,
        job.state,
        local_time(job.submitted),
        local_time(job.changed),
        doing,
        share,
        left,
        job.reason,
        job.version or "",
        _curve(job),
        [(local_time(time), text) for time, text in job.log],
        job.state in CANCELLABLE,
        job.request,
    )
