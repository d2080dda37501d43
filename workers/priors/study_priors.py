"""The relevant priors of a study, ready to be shown."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from mskmodel.priors.examination import Examination
from mskmodel.priors.relevance import Pair, Prior, relevant
from mskmodel.priors.sentence import reasons, sentence
from workers.pacs import OrthancClient
from workers.priors.header_alone import examinations
from workers.priors.patient_studies import IndexedStudy, PatientStudies

__all__ = ["StudyPrior", "StudyPriors", "study_priors"]

#: Digits of a score that are told.
_DIGITS = 3


@dataclass(frozen=True)
class StudyPrior:
    """One prior: the study in the index, and why it is one."""

    study: IndexedStudy
    prior: Prior

    @property
    def score(self) -> float:
        """0..1, rounded."""
        return round(self.prior.score, _DIGITS)

    @property
    def sentence(self) -> str:
        """All reasons in one."""
        return sentence(self.prior)

    def to_json(self) -> dict[str, Any]:
        """Plain values, with no text of a header."""
        best = self.prior.best
        return {
            "study": self.study.study_uid,
            "orthanc": self.study.study,
            "studied_at": self.study.studied_at,
            "modalities": list(self.study.modalities),
            "score": self.score,
            "sentence": self.sentence,
            "reasons": reasons(self.prior),
            "told_by": {"current": best.current.told_by, "prior": best.prior.told_by},
            "pairs": [_plain(pair) for pair in self.prior.pairs],
        }


@dataclass(frozen=True)
class StudyPriors:
    """The priors of a study, the most relevant first. ``considered``: of so many earlier studies of the patient."""

    study: IndexedStudy
    considered: int
    priors: tuple[StudyPrior, ...]

    def without(self, uids: Collection[str]) -> "StudyPriors":
        """Without the studies that have one of these Study Instance UIDs."""
        kept = tuple(one for one in self.priors if one.study.study_uid not in uids)
        return StudyPriors(self.study, self.considered, kept)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "study": self.study.study_uid,
            "orthanc": self.study.study,
            "studied_at": self.study.studied_at,
            "considered": self.considered,
            "priors": [one.to_json() for one in self.priors],
        }


def study_priors(orthanc: OrthancClient, found: PatientStudies) -> StudyPriors:
    """Judge the other studies of the patient. Raises OrthancError."""
    studies = {one.study: one for one in (found.current, *found.others)}
    current, *others = examinations(orthanc, list(studies.values()))
    return StudyPriors(found.current, len(others), tuple(_judged(current, others, studies)))


def _judged(current: Examination, others: Sequence[Examination], studies: dict[str, IndexedStudy]) -> list[StudyPrior]:
    return [StudyPrior(studies[prior.examination.study], prior) for prior in relevant(current, others)]


def _plain(pair: Pair) -> dict[str, Any]:
    return {
        "current": pair.current.name,
        "prior": pair.prior.name,
        "score": round(pair.likeness.score, _DIGITS),
        "region": pair.likeness.region,
        "told_by": pair.prior.told_by,
    }
