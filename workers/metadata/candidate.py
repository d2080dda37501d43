"""An outcome as a candidate for a person's look, and what says whether the model took it for none of the classes."""

from mskmodel.judging.active_learning import Candidate
from mskmodel.registry.decision import MORE_VIEWS, UNLIKE
from workers.metadata.outcome import LABELLED, NEEDS_REVIEW, Outcome

__all__ = ["candidate_of"]


def candidate_of(instance_id: str, outcome: Outcome) -> Candidate | None:
    """The instance as a candidate; None if no model has an answer for it."""
    if outcome.status not in (LABELLED, NEEDS_REVIEW) or not outcome.top5:
        return None
    unlike = outcome.status == NEEDS_REVIEW and outcome.reason in (UNLIKE, MORE_VIEWS)
    return Candidate(instance_id, outcome.top5, unlike, outcome.disagreement or 0.0)
