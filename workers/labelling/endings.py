"""How an attempt at an instance ends: with an outcome in Orthanc, with another attempt later, or failed."""

import logging

from workers.labelling.blame import InstanceDeleted, OrthancOutage, Step, StepFailed, Witnesses, step
from workers.labelling.instance import Instance
from workers.labelling.run import Run
from workers.ledger import Claim, Ledger
from workers.metadata.outcome import FAILED, LABELLED, NEEDS_REVIEW, PREDICTION, Outcome
from workers.metadata.shown_label import show_label
from workers.pacs import OrthancClient, OrthancRefused

__all__ = ["RETRY_SECONDS", "Endings"]

#: Seconds until the next attempt after each failure that is the instance's own; after the last one it counts as failed.
RETRY_SECONDS = (2, 5, 10, 20)
#: Failures in a row, of which nobody can say whose fault they are, that count as an outage.
MOST_DOUBTFUL = 2

log = logging.getLogger(__name__)


class Endings:
    """Ends attempts in Orthanc and in the ledger."""

    def __init__(self, orthanc: OrthancClient, ledger: Ledger, witnesses: Witnesses) -> None:
        self._orthanc, self._ledger, self._witnesses = orthanc, ledger, witnesses

    def finish(self, run: Run, instance: Instance, outcome: Outcome) -> None:
        """Write the outcome back, `MskPrediction` last: from then on the instance is accounted for.

        Raises:
            OrthancOutage: Orthanc takes no outcome of any instance.
        """
        instance_id = instance.claim.instance_id
        try:
            with step(Step.WRITE, self._orthanc, instance_id):
                show_label(self._orthanc, instance_id, instance.metadata, outcome)
                self._orthanc.put_metadata(instance_id, PREDICTION, outcome.to_json())
        except InstanceDeleted:
            log.info("instance-deleted instance=%s", instance_id)
            self._ledger.close(run.owner, instance_id)
        except StepFailed as failure:
            self._unwritten(run, instance, outcome, failure)
        else:
            run.doubtful.pop(Step.WRITE, None)
            log.info(
                "instance-done instance=%s status=%s label=%s confidence=%s tries=%d ms=%s",
                instance_id,
                outcome.status,
                outcome.label,
                outcome.confidence,
                outcome.tries,
                outcome.milliseconds.get("total"),
            )
            labelled = outcome.status in (LABELLED, NEEDS_REVIEW)
            self._ledger.close(run.owner, instance_id, labelled=labelled, study=outcome.study)

    def _unwritten(self, run: Run, instance: Instance, outcome: Outcome, failure: StepFailed) -> None:
        claim = instance.claim
        own = self._is_own(run, claim, failure)
        if own and _was_last(claim):
            reason = f"{outcome.reason}. {failure}" if outcome.status == FAILED else _after(claim, failure)
            self._fail_here(run, claim.instance_id, reason)
        else:
            self._postpone(run, claim, failure, own=own)

    def unprepared(self, run: Run, claim: Claim, instance: Instance | None, failure: StepFailed) -> None:
        """End an attempt before the model: Orthanc did not say what it knows of the instance, or did not deliver it.

        Args:
            instance: None if the former.
        """
        own = self._is_own(run, claim, failure)
        if not (own and _was_last(claim)):
            self._postpone(run, claim, failure, own=own)
            return
        reason = _after(claim, failure)
        try:
            instance = instance or self._without_identity(claim)
        except InstanceDeleted:
            self._ledger.close(run.owner, claim.instance_id)
        except StepFailed:
            self._fail_here(run, claim.instance_id, reason)
        else:
            self.finish(run, instance, instance.failed(reason, retry=True))

    def _postpone(self, run: Run, claim: Claim, failure: StepFailed, *, own: bool) -> None:
        """Have the instance wait for its next attempt."""
        delay = RETRY_SECONDS[claim.failures if own else 0]
        log.warning("instance-postponed instance=%s own=%s reason=%s", claim.instance_id, own, failure)
        self._ledger.postpone(run.owner, claim.instance_id, delay=delay, reason=str(failure), blamed=own)
        run.postpone(claim.instance_id, delay)

    def _is_own(self, run: Run, claim: Claim, failure: StepFailed) -> bool:
        """Whether the failure is the instance's own. Raises OrthancOutage if the step works for no other one either."""
        works = self._witnesses.say_it_works(failure.step, but=claim.instance_id)
        run.doubtful[failure.step] += works is None
        is_stranger = works is None and failure.step is Step.LOOK_UP and isinstance(failure.error, OrthancRefused)
        if works is False or is_stranger or run.doubtful[failure.step] > MOST_DOUBTFUL:
            raise OrthancOutage(str(failure)) from failure
        return works is True

    def _without_identity(self, claim: Claim) -> Instance:
        """An instance of whose file Orthanc says nothing."""
        with step(Step.LOOK_UP, self._orthanc, claim.instance_id):
            metadata = self._orthanc.metadata(claim.instance_id)
        return Instance(claim, claim.attempts + claim.failures + 1, "", metadata)

    def _fail_here(self, run: Run, instance_id: str, reason: str) -> None:
        """Note in the ledger that the instance failed, since Orthanc does not take it."""
        log.warning("instance-failed instance=%s reason=%s", instance_id, reason)
        self._ledger.fail(run.owner, instance_id, reason)


def _was_last(claim: Claim) -> bool:
    """Whether the attempt that fails now is the last one."""
    return claim.failures >= len(RETRY_SECONDS)


def _after(claim: Claim, failure: StepFailed) -> str:
    """The reason of an instance that failed for the last time."""
    return f"{failure}, tried {claim.attempts + claim.failures + 1} times"
