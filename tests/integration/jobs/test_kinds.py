"""A training job whose base tells kinds of none of the classes apart, on a real Orthanc and a real Valkey."""

from pathlib import Path

import pytest

from mskmodel.registry import read_manifest
from tests.training_site import CLASSES, Site
from tests.waiting import until
from workers.jobs.request import InvalidRequest
from workers.jobs.store import FAILED, PROMOTED, REFUSED


def test_a_job_goes_on_with_the_kinds_of_its_base_and_makes_one_a_class(tmp_path: Path) -> None:
    with Site.opened(tmp_path) as site:
        for number in range(30, 40):
            site.store_image(number, truth="other")
        with pytest.raises(InvalidRequest, match=r"not among the classes: other \(10\)"):
            site.submit()
        base = site.register_untrained(others=("other", "never"))

        jobs = {
            site.submit(base=base, epochs=1): (list(CLASSES), ["other", "never"]),
            site.submit(base=base, epochs=1, classes=[*CLASSES, "other"]): ([*CLASSES, "other"], ["never"]),
        }

        with site.worker(tmp_path / "train.log"):
            for job_id, (classes, others) in jobs.items():
                until(lambda job_id=job_id: site.job(job_id).state in (PROMOTED, REFUSED, FAILED), 240)
                job = site.job(job_id)
                assert job.version, job.reason
                manifest = read_manifest(site.registry.find(job.version))
                assert (manifest["classes"], manifest["others"]) == (classes, others)
                assert manifest["architecture"]["outputs"] == 5
                figures = manifest["metrics"]
                assert (figures["none_count"] > 0) == ("other" in others), "a kind counts as none of the classes"
