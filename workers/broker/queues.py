"""Names that both sides of the broker share: its queues and the tasks.

A task is sent by its name, so that the sender need not import the code that executes it.
"""

__all__ = [
    "BACKFILL",
    "INSTANCE_QUEUES",
    "LABEL",
    "LABEL_TASK",
    "MAINTENANCE",
    "REPORT_TASK",
    "SETTLE_TASK",
    "SWEEP_TASK",
    "TRAIN",
    "TRAIN_TASK",
]

#: Queue of newly stored instances.
LABEL = "label"
#: Queue of the archive, which gives way to `label`.
BACKFILL = "label.backfill"
#: Queues whose messages name instances, the more urgent first.
INSTANCE_QUEUES = (LABEL, BACKFILL)
#: Queue of training jobs.
TRAIN = "train"
#: Queue of the sweep, and of reports.
MAINTENANCE = "maintenance"

LABEL_TASK = "msk.label"
REPORT_TASK = "msk.report"
SETTLE_TASK = "msk.settle"
SWEEP_TASK = "msk.sweep"
TRAIN_TASK = "msk.train"
