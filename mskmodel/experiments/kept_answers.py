"""Answers of a model to labelled radiographs, kept in a folder: an experiment that is started again goes on at once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from mskmodel.data.dataset import Unreadable
from mskmodel.data.labels_file import Labelled
from mskmodel.dicom.radiograph_kinds import RadiographKinds
from mskmodel.judging.evaluation import Answers, answers
from mskmodel.registry.classifier import Classifier

__all__ = ["kept_answers"]


def kept_answers(
    classifier: Classifier,
    rows: Sequence[Labelled],
    kinds: RadiographKinds,
    directory: Path,
    progress: Callable[[Sequence[Labelled]], Iterator[Labelled]],
) -> Answers:
    """As `answers`; read from the folder until a file, a label or the version changes. No patient is kept there."""
    digest = hashlib.sha256(f"{classifier.version} {kinds!r}".encode())
    for row in rows:
        known = row.file.stat() if row.file.is_file() else None
        digest.update(repr((str(row.file), row.label, known and (known.st_size, known.st_mtime_ns))).encode())
    kept = directory / f"answers-{digest.hexdigest()[:16]}.npz"
    if not kept.is_file():
        made = answers(classifier, rows, progress, kinds)
        numbers = {id(row): number for number, row in enumerate(rows)}
        partial = kept.with_suffix(".partial.npz")
        np.savez(
            partial,
            rows=np.array([numbers[id(row)] for row in made.rows], np.int64),
            labels=made.labels,
            logits=made.logits,
            unreadable=np.asarray([(o.file, o.reason, o.line) for o in made.unreadable], np.str_).reshape(-1, 3),
        )
        partial.replace(kept)
    with np.load(kept, allow_pickle=False) as arrays:
        return Answers(
            tuple(rows[number] for number in arrays["rows"]),
            arrays["labels"],
            arrays["logits"],
            tuple(Unreadable(Path(file), str(why), int(line)) for file, why, line in arrays["unreadable"]),
        )
