"""Labelling: what one run of the label task does to the instances that it claims.

Fetch, guard, decode, preprocess, classify together, write back. Each instance gets a status of its
own, and an error with one of them does not affect the others.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from mskmodel.radiograph import Limits, Skipped, Undecodable
from mskmodel.registry.classifier import Classifier
from workers.broker.messages import CHUNK
from workers.broker.queues import BACKFILL
from workers.labelling.answers import answers
from workers.labelling.blame import InstanceDeleted, ModelBroken, OrthancOutage, Step, StepFailed, Witnesses, step
from workers.labelling.deciding import Judge
from workers.labelling.endings import Endings
from workers.labelling.instance import Instance, Prepared
from workers.labelling.preparing import prepare
from workers.labelling.run import Run
from workers.labelling.site import NOTHING_SET, Site
from workers.ledger import Claim, Ledger
from workers.metadata.outcome import Outcome
from workers.pacs import OrthancClient, TooLarge

__all__ = ["MAX_DEATHS", "Labeller"]

#: Attempts that may end with the worker dead or stuck before the instance counts as failed.
MAX_DEATHS = 3
#: Seconds that an instance may take to be fetched and decoded before those that are ready stop waiting for it.
SLOW_SECONDS = 3.0
#: Instances of the backfill that are classified or written together: few, because a new study waits for them.
BACKFILL_BATCH = 4


class Labeller:
    """Labels instances with one version of the model and one Orthanc client."""

    def __init__(
        self,
        orthanc: OrthancClient,
        ledger: Ledger,
        classifier: Classifier,
        site: Site = NOTHING_SET,
    ) -> None:
        self._orthanc, self._ledger, self._classifier, self._site = orthanc, ledger, classifier, site
        self._judge = Judge.of(classifier, site)
        self._limits = Limits()
        self._endings = Endings(orthanc, ledger, Witnesses(orthanc, ledger, self._limits))

    def label(self, owner: str, instance_ids: Sequence[str], queue: str, chunk: int) -> Run:
        """Label the named instances, and others that wait, at most `chunk` in all.

        A run of the backfill also labels what waits in the queue of new studies, before each of its own instances.

        Args:
            owner: identifier of this run, the same after a redelivery.

        Raises:
            OrthancOutage: Orthanc does not answer or refuses every request; unfinished instances wait in the ledger.
            ModelBroken: the model answers nothing any more; likewise.
        """
        run = Run(owner, queue)
        new = run.of_new_ones() if queue == BACKFILL else None
        try:
            self._label(run, self._ledger.claim(owner, queue, instance_ids, chunk), new)
        except (OrthancOutage, ModelBroken) as error:
            self._release(run, new, blameless=True, reason=str(error))
            raise
        finally:
            # After an unexpected error or a time limit: whatever the run still holds.
            self._release(run, new, blameless=False)
        return run

    def _release(self, *runs: Run | None, blameless: bool, reason: str = "") -> None:
        for run in filter(None, runs):
            self._ledger.release(run.owner, delay=1, blameless=blameless, reason=reason)

    def _label(self, run: Run, claims: Sequence[Claim], new: Run | None) -> None:
        """Label the instances, and between them those that `new` finds in the queue of new studies."""
        run.count += len(claims)
        for batch in _batches(claims):
            prepared: list[Prepared] = []
            for claim in batch:
                self._label_new(new)
                if time.monotonic() > run.ends:
                    self._put_off(run, claim)
                    continue
                started = time.monotonic()
                try:
                    ready = self._prepare(run, claim)
                except OrthancOutage:
                    self._classify(run, prepared, None)
                    raise
                if ready:
                    prepared.append(ready)
                if time.monotonic() > started + SLOW_SECONDS:
                    self._classify(run, prepared, new)
                    prepared = []
            self._classify(run, prepared, new)

    def _label_new(self, new: Run | None) -> None:
        if new:
            self._label(new, self._ledger.claim(new.owner, new.queue, (), CHUNK), None)

    def _put_off(self, run: Run, claim: Claim) -> None:
        self._ledger.postpone(run.owner, claim.instance_id, delay=0, reason="", blamed=False)
        run.postpone(claim.instance_id, 0)

    # -- up to the model -----------------------------------------------------------------------------------

    def _prepare(self, run: Run, claim: Claim) -> Prepared | None:
        """Make an instance ready for the model; None if it has been closed or postponed without the model."""
        attempts = self._ledger.begin(run.owner, claim.instance_id)
        if attempts == 0:
            return None
        instance = None
        try:
            instance = self._look_up(run, claim, attempts + claim.failures)
            if instance.is_covered(self._classifier.version):
                self._ledger.close(run.owner, claim.instance_id)
                return None
            if attempts <= MAX_DEATHS:
                return self._fetch_and_decode(run, instance)
            reason = f"the worker died or got stuck on it {MAX_DEATHS} times"
            self._endings.finish(run, instance, replace(instance, tries=instance.tries - 1).failed(reason))
        except InstanceDeleted:
            self._ledger.close(run.owner, claim.instance_id)
        except StepFailed as failure:
            self._endings.unprepared(run, claim, instance, failure)
        return None

    def _look_up(self, run: Run, claim: Claim, tries: int) -> Instance:
        instance_id = claim.instance_id
        with step(Step.LOOK_UP, self._orthanc, instance_id):
            identity = self._orthanc.file_identity(instance_id)  # read before the file, which may change in between
            metadata = self._orthanc.metadata(instance_id)
        run.doubtful.pop(Step.LOOK_UP, None)
        return Instance(claim, tries, identity, metadata)

    def _fetch_and_decode(self, run: Run, instance: Instance) -> Prepared | None:
        try:
            ready = prepare(self._orthanc, self._classifier, self._limits, self._site, instance)
        except (Skipped, TooLarge) as skipped:
            outcome = instance.skipped(str(skipped))
        except Undecodable as failure:
            outcome = instance.failed(str(failure))
        except MemoryError:
            outcome = instance.failed("it needs more memory than there is", retry=True)
        else:
            run.doubtful.pop(Step.FETCH, None)
            return ready
        self._endings.finish(run, instance, outcome)
        return None

    # -- the model -----------------------------------------------------------------------------------------

    def _classify(self, run: Run, prepared: Sequence[Prepared], new: Run | None) -> None:
        finished = list(self._outcomes(prepared, BACKFILL_BATCH if new else CHUNK, new))
        for number, (instance, outcome) in enumerate(finished):
            if number % BACKFILL_BATCH == 0:
                self._label_new(new)
            self._endings.finish(run, instance, outcome)

    def _outcomes(self, prepared: Sequence[Prepared], size: int, new: Run | None) -> Iterator[tuple[Instance, Outcome]]:
        """The model's answers as outcomes; the model is asked for `size` of them at a time."""
        for first in range(0, len(prepared), size):
            self._label_new(new)
            batch = prepared[first : first + size]
            started = time.perf_counter()
            found = answers(self._classifier, [ready.pixels for ready in batch])
            each = (time.perf_counter() - started) * 1000 / len(batch)
            for ready, answer in zip(batch, found, strict=True):
                if answer is None:
                    yield ready.instance, ready.instance.failed("the model has no answer for it")
                else:
                    yield ready.instance, ready.outcome(answer, self._classifier.version, self._judge, each)


def _batches(claims: Sequence[Claim]) -> Iterator[list[Claim]]:
    """Instances that are prepared together. One that a run died on, or that failed, is alone, behind the others."""
    yield [claim for claim in claims if claim.attempts == 0 and claim.failures == 0]
    yield from ([claim] for claim in claims if claim.attempts > 0 or claim.failures > 0)
