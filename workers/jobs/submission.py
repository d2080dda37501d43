"""Submits a training job: the request is checked against Orthanc and the registry, then queued."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from celery import Celery
from kombu.exceptions import OperationalError

from mskmodel.data.patient_key import SiteSecret, SiteSecretError
from mskmodel.labels import BY_KEY, KEYS
from mskmodel.registry import Registry, RegistryError, others_beside, read_manifest
from workers.broker.messages import hint_jobs
from workers.corrections.finding import Progress, truths
from workers.jobs.request import IMAGENET_BASE, PROMOTED_BASE, InvalidRequest, JobRequest
from workers.jobs.store import JobStore
from workers.metadata.truth import BadTruth, checked_author
from workers.pacs import OrthancClient

__all__ = ["base_of", "check", "check_labels", "classes_of", "others_of", "queue", "submit"]

#: Most instances that a message names.
_NAMED = 3
#: Fewest patients: those of one fold are judged by what was learned from the others.
_PATIENTS = 2


def submit(
    app: Celery,
    store: JobStore,
    orthanc: OrthancClient,
    registry: Registry,
    request: JobRequest,
    author: str,
    progress: Progress = lambda step, done, total: None,  # noqa: ARG005
) -> str:
    """Check and queue a job; returns its identifier.

    Raises:
        InvalidRequest, OrthancError: as `check`.
        redis.RedisError: the broker does not answer.
    """
    author = check(orthanc, registry, request, author, progress)
    return queue(app, store, request, author)


def check(
    orthanc: OrthancClient,
    registry: Registry,
    request: JobRequest,
    author: str,
    progress: Progress = lambda step, done, total: None,  # noqa: ARG005
) -> str:
    """Check a job against Orthanc and the registry; returns the author as it is kept. Pixels are not read.

    Raises:
        InvalidRequest: the job cannot be done; the message says why.
        OrthancError: the request cannot be checked, since Orthanc does not answer.
    """
    try:
        author = checked_author(author)
    except BadTruth as error:
        raise InvalidRequest(str(error)) from None
    _check(orthanc, registry, request, progress)
    return author


def queue(app: Celery, store: JobStore, request: JobRequest, author: str) -> str:
    """Queue a job that was checked; returns its identifier. Raises redis.RedisError."""
    job_id = store.submit(request, author)
    with suppress(OperationalError):  # the job is durable; the sweep will send a hint
        hint_jobs(app, 1)
    return job_id


def _check(orthanc: OrthancClient, registry: Registry, request: JobRequest, progress: Progress) -> None:
    """Raise as `check` does. Pixels are not read here, so unreadable files count too."""
    if registry.root is None:
        raise InvalidRequest("there is no model registry to keep the new version: set MSK_MODELS to a folder")
    classes = classes_of(registry, request)
    said, unusable = truths(orthanc, request.instances, progress)
    if request.instances is not None and unusable:
        raise InvalidRequest(f"{_some(unusable)} cannot be used: {_reasons(unusable)}")
    try:
        secret = SiteSecret.of(registry.root)
    except SiteSecretError as error:
        raise InvalidRequest(f"patient keys cannot be made: {error}") from error
    parents = orthanc.parents_of(list(said))
    rows = [(said[i].label, secret.patient(parents[i].patient)) for i in said if i in parents]
    # Phantoms show every view of the table that ships; how many of each is counted when the job starts.
    rehearsed = dict.fromkeys(BY_KEY, request.minimum) if request.rehearsal else {}
    check_labels(rows, classes, request.minimum, rehearsed, others_of(registry, request))


def check_labels(
    rows: Sequence[tuple[str | None, str]],
    classes: Sequence[str],
    minimum: int,
    rehearsed: Mapping[str, int],
    others: Sequence[str] = (),
) -> None:
    """Raise InvalidRequest unless these images suffice to learn from and to judge on.

    Args:
        rows: of each image its label, and the key of its patient.
        rehearsed: by class, how many phantoms there are to learn from besides.
        others: kinds of none of the classes that images may show, however few.
    """
    if not rows:
        raise InvalidRequest("there is nothing to learn from: no instance has a truth; set some with: msk truth set")
    known = (None, *classes, *others)
    unknown = Counter(label for label, _ in rows if label not in known)
    if unknown:
        found = ", ".join(f"{key} ({count})" for key, count in unknown.most_common())
        raise InvalidRequest(
            f"not among the classes: {found}; name all classes of the new model, or leave these images out"
        )
    if len({patient for _, patient in rows}) < _PATIENTS:
        raise InvalidRequest(
            f"all images with a truth ({len(rows)}) are of one patient, so there is nothing to judge the new model on "
            "that it has not learned from: set the truths of other patients' images too"
        )
    counts = Counter(label for label, _ in rows)
    there_are = {key: counts[key] + rehearsed.get(key, 0) for key in classes}
    if few := {key: count for key, count in there_are.items() if count < minimum}:
        found = ", ".join(f"{key} ({count})" for key, count in few.items())
        raise InvalidRequest(f"fewer than {minimum} images to learn from: {found}")


def base_of(registry: Registry, request: JobRequest) -> Path | None:
    """Directory of the version to start from; None for ImageNet weights. Raises InvalidRequest.

    It is the one that the version asked for started from itself, if a job made that: all truths are learned anew, so
    that what the new version says of them can be judged by runs that have not seen them.
    """
    named = _named(registry, request)
    try:
        return named and registry.origin_of(named)
    except RegistryError as error:
        raise InvalidRequest(f"base {request.base}: {error}") from error


def classes_of(registry: Registry, request: JobRequest) -> tuple[str, ...]:
    """The requested classes, or else those of the version asked for. Raises InvalidRequest."""
    named = _named(registry, request)
    if request.classes is not None:
        return request.classes
    return KEYS if named is None else tuple(read_manifest(named)["classes"])


def others_of(registry: Registry, request: JobRequest) -> tuple[str, ...]:
    """The base's kinds of none of the classes, but for those that become classes. Raises InvalidRequest."""
    base = base_of(registry, request)
    return () if base is None else others_beside(base, classes_of(registry, request))


def _named(registry: Registry, request: JobRequest) -> Path | None:
    """Directory of the version that was asked for; None for ImageNet weights. Raises InvalidRequest."""
    if request.base == IMAGENET_BASE:
        return None
    try:
        return registry.promoted() if request.base == PROMOTED_BASE else registry.find(request.base)
    except RegistryError as error:
        raise InvalidRequest(f"base {request.base}: {error}") from error


def _some(unusable: Mapping[str, str]) -> str:
    return "1 instance" if len(unusable) == 1 else f"{len(unusable)} instances"


def _reasons(unusable: Mapping[str, str]) -> str:
    named: Iterable[tuple[str, str]] = list(unusable.items())[:_NAMED]
    more = f" and {len(unusable) - _NAMED} more" if len(unusable) > _NAMED else ""
    return "; ".join(f"{instance_id}: {reason}" for instance_id, reason in named) + more
