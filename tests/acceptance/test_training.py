"""From corrected labels to a better model and back, on a whole stack, by the commands that a person would use."""

import csv
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pydicom
import pytest

from mskmodel.data.patient_key import FILE
from mskmodel.registry import Registry
from tests.local_stack import LocalStack
from tests.model_versions import register_confusing
from tests.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]

AP, LATERAL = "knee_ap", "knee_lateral"
WRONG = {AP: LATERAL, LATERAL: AP}
CORRECTED, OLDER, NEXT, LAST = "corrected", "older", "next", "last"
#: Phantoms of knees in each folder, half of them AP.
COUNTS = {CORRECTED: 40, OLDER: 6, NEXT: 6, LAST: 2}
#: A job as it is by default, with the fewest phantoms that show every class.
JOB = ("--rehearsal", "100", "--minimum", "1")
#: The site's secret for patient keys, fixed so that the same patients are held out each time.
SECRET = "0a" * 32


class Knees:
    """Phantoms of knees in folders, and the stack's outcomes for them."""

    def __init__(self, stack: LocalStack, folder: Path) -> None:
        self._stack, self._folder = stack, folder
        stack.msk("phantom", "make", str(folder), "--count", str(sum(COUNTS.values())), "--only", AP, "--only", LATERAL)
        with (folder / "truth.csv").open(newline="") as file:
            rows = iter(list(csv.DictReader(file)))
        self.truth: dict[str, dict[str, str]] = {}
        for name, count in COUNTS.items():
            (folder / name).mkdir()
            self.truth[name] = dict(self._moved(next(rows), folder / name) for _ in range(count))

    @staticmethod
    def _moved(row: Mapping[str, str], folder: Path) -> tuple[str, str]:
        """Move a phantom into a folder; its SOP Instance UID and label."""
        moved = Path(shutil.move(folder.parent / row["file"], folder))
        return str(pydicom.dcmread(moved, stop_before_pixels=True).SOPInstanceUID), row["label"]

    def store(self, name: str) -> None:
        """Send a folder, and wait for all of it to be labelled."""
        self._stack.msk("send", str(self._folder / name), "--state", str(self._stack.state_file))
        until(lambda: len(self._outcomes(name)) == COUNTS[name], 60)

    def right(self, *names: str) -> float:
        """Share of the phantoms in the folders whose likeliest class is the true one."""
        truth = {uid: label for name in names for uid, label in self.truth[name].items()}
        likeliest = {uid: one["top5"][0][0] for name in names for uid, one in self._outcomes(name).items()}
        return sum(likeliest[uid] == label for uid, label in truth.items()) / len(truth)

    def mistaken(self, *names: str) -> float:
        """Share of the phantoms in the folders that are labelled as the other view."""
        outcomes = {uid: one for name in names for uid, one in self._outcomes(name).items()}
        truth = {uid: label for name in names for uid, label in self.truth[name].items()}
        return sum(outcomes[uid]["label"] == WRONG[label] for uid, label in truth.items()) / len(truth)

    def models(self, *names: str) -> set[str]:
        """The versions that labelled them."""
        return {str(outcome["model"]) for name in names for outcome in self._outcomes(name).values()}

    def corrections(self) -> Path:
        """A person's corrections of the first folder, as CSV."""
        path = self._folder / "corrections.csv"
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([("SOPInstanceUID", "label"), *self.truth[CORRECTED].items()])
        return path

    def _outcomes(self, name: str) -> dict[str, dict[str, Any]]:
        """The outcomes by SOP Instance UID, as far as there are any."""
        found = self._stack.orthanc.lookup_all(list(self.truth[name]))
        outcomes = {uid: self._stack.outcome(instance_id) for uid, ids in found.items() for instance_id in ids}
        return {uid: outcome for uid, outcome in outcomes.items() if outcome}


def test_corrections_make_a_model_that_knows_knees_and_a_rollback_undoes_it(tmp_path: Path) -> None:
    stack = LocalStack(tmp_path)
    models = stack.data / "models"
    models.mkdir(parents=True)
    (models / FILE).write_text(SECRET)
    stack.up()
    try:
        confused = register_confusing(Registry(models), AP, LATERAL)
        stack.msk("models", "promote", confused)
        knees = Knees(stack, tmp_path / "knees")
        knees.store(CORRECTED)
        knees.store(OLDER)
        assert knees.mistaken(CORRECTED, OLDER) > 0.2
        assert knees.right(CORRECTED, OLDER) < 0.2

        imported = stack.msk("truth", "import", str(knees.corrections()), "--author", "ann")
        assert "40 of 40 truths are set" in imported.stdout
        job_id = stack.msk("jobs", "submit", "--author", "ann", *JOB).stdout.strip()
        watched = stack.msk("jobs", "watch", job_id)
        better = json.loads(stack.msk("jobs", "show", job_id, "--json").stdout)["version"]
        assert re.search(r"promoted: it is right on \d+ of \d+ held-out images, .*; no class is worse", watched.stderr)
        assert f"{better}: served" in stack.msk("models", "show", better).stdout

        knees.store(NEXT)
        assert knees.models(NEXT) == {better}
        assert knees.models(CORRECTED, OLDER) == {confused}
        stack.msk("relabel", "--older", "--wait")
        assert knees.models(CORRECTED, OLDER, NEXT) == {better}
        assert knees.right(OLDER, NEXT) > 0.6
        assert knees.mistaken(OLDER, NEXT) < 0.2

        assert confused in stack.msk("models", "rollback").stdout
        knees.store(LAST)
        assert knees.models(LAST) == {confused}
        stack.msk("relabel", "--older", "--wait")
        assert knees.models(*COUNTS) == {confused}
        assert knees.mistaken(OLDER, NEXT, LAST) > 0.2
        assert knees.right(OLDER, NEXT, LAST) < 0.2
    finally:
        stack.down()
