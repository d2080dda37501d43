"""The queues of review, as the index has them, in SQLite and PostgreSQL."""

from tests.integration.records.conftest import Site
from tests.integration.records.in_process import follow
from tests.integration.records.outcomes import label
from workers.metadata.outcome import NEEDS_REVIEW
from workers.metadata.truth_changes import set_truth
from workers.records.review_queue import Queue, latest_studies, own_classes, waiting


def in_queue(site: Site, queue: Queue, count: int = 10, **options: int | str) -> list[str]:
    with site.engine.connect() as connection, connection.begin():
        return list(waiting(connection, queue, count, **options))  # type: ignore[arg-type]


def test_what_waits_and_in_which_order(site: Site) -> None:
    sure, doubtful, against, unlike, said, without = site.store(*"abcdef")
    label(site, sure, top5=[["elbow_lateral", 0.95]])
    label(site, doubtful, top5=[["elbow_lateral", 0.5], ["elbow_ap", 0.45]])
    label(site, against, top5=[["elbow_lateral", 0.9]], disagreement=0.8)
    label(site, unlike, top5=[["elbow_lateral", 0.1]], status=NEEDS_REVIEW, reason="unlike every trained class")
    label(site, said, top5=[["elbow_lateral", 0.4]])
    set_truth(site.orthanc, said, "wrist_pa", "anna", ["wrist_pa"])
    follow(site)
    assert in_queue(site, Queue.UNSURE) == [doubtful, against, sure]
    assert in_queue(site, Queue.UNSURE, 1, skip=1) == [against]
    assert in_queue(site, Queue.DISAGREEING) == [against]
    assert in_queue(site, Queue.NONE) == [unlike]
    anything = sorted([sure, doubtful, against, unlike])
    assert in_queue(site, Queue.RANDOM) == anything
    assert in_queue(site, Queue.RANDOM, start=anything[2]) == anything[2:]
    assert without not in {each for queue in Queue for each in in_queue(site, queue)}
    with site.engine.connect() as connection, connection.begin():
        assert own_classes(connection) == ["wrist_pa"]


def test_the_latest_studies(site: Site) -> None:
    site.store("a", "b", study="one")
    site.store("c", study="other")
    follow(site)
    with site.engine.connect() as connection, connection.begin():
        found = latest_studies(connection, 10)
    assert sorted(each["instances"] for each in found) == [1, 2]
    assert {each["study"] for each in found} == {row["study"] for row in site.rows().values()}
