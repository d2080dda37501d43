"""What a person said goes to the copies of an instance, on SQLite and on PostgreSQL, and nowhere else."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread

from mskmodel.labels import KEYS
from tests.integration.records.conftest import Site
from tests.integration.records.in_process import follow, unread
from tests.integration.records.truth_history import (
    ask,
    audited,
    beside,
    entries,
    file,
    journal_of,
    put_foreign,
    read,
    read_all,
    rle,
    store,
    summary,
    truth,
)
from tests.servers import Orthanc
from workers.metadata.outcome import PREDICTION, TRUTH, Outcome
from workers.metadata.truth import Truth
from workers.metadata.truth_changes import set_truth, withdraw_truth
from workers.records.schema import migrate

ANEW = {"KeepSource": False, "Force": True}
SET, CARRIED = ("knee_ap", "set", "written"), ("knee_ap", "carried over", "written")


def say(site: Site, instance_id: str, label: str | None = "knee_ap", author: str = "anna") -> None:
    """Set a truth as the gateway does, and let the records' process see it."""
    with site.engine.connect() as connection:
        migrate(connection)
    set_truth(site.orthanc, instance_id, label, author, KEYS, journal_of(site))
    follow(site)


def the_other(site: Site, *known: str) -> str:
    """The one instance beside these, once it is labelled and followed."""
    follow(site)  # before it is labelled
    (found,) = set(read_all(site)) - set(known)
    follow(site)
    return found


def assert_carried(site: Site, instance_id: str, source: str, why: str = "same pixels") -> None:
    found = truth(site, instance_id)
    assert found and (found.label, found.author) == ("knee_ap", "anna")
    assert found.now.origin == f"carried over from {source}; {why}"
    assert [(each.label, each.author, each.origin) for each in found.history] == [("knee_ap", "anna", "")]
    assert site.orthanc.metadata(instance_id)["MskLabel"] == "knee_ap"
    assert site.rows()[instance_id]["truth"] == "knee_ap" or follow(site)
    before = entries(site)
    follow(site)
    assert entries(site) == before, "again, it changes nothing"


def modify_patient(site: Site, instance_id: str) -> None:
    patient = ask(site, "GET", f"instances/{instance_id}/patient").json()["ID"]
    ask(site, "POST", f"patients/{patient}/modify", {"Replace": {"PatientID": "P-2"}} | ANEW)


def modify_study(site: Site, instance_id: str) -> None:
    study = ask(site, "GET", f"instances/{instance_id}/study").json()["ID"]
    ask(site, "POST", f"studies/{study}/modify", {"Replace": {"StudyDescription": "corrected"}} | ANEW)


def modify_series(site: Site, instance_id: str) -> None:
    series = ask(site, "GET", f"instances/{instance_id}/series").json()["ID"]
    ask(site, "POST", f"series/{series}/modify", {"Replace": {"SeriesDescription": "corrected"}} | ANEW)


def modify_instance(site: Site, instance_id: str) -> None:
    changed = ask(site, "POST", f"instances/{instance_id}/modify", {"Replace": {"PatientID": "P-2"}, "Force": True})
    site.server.upload(changed.content)
    site.delete([instance_id])


@pytest.mark.parametrize("modify", [modify_patient, modify_study, modify_series, modify_instance])
def test_a_truth_goes_to_what_was_modified(site: Site, modify: Callable[[Site, str], None]) -> None:
    old = store(site, file("a"))
    say(site, old)
    modify(site, old)
    new = the_other(site, old)
    assert_carried(site, new, old)
    assert [*summary(site, old), *summary(site, new)] == [SET, CARRIED]
    assert [(each["source"], each["reason"]) for each in entries(site, new)] == [(old, "same pixels")]
    assert audited(site) == [("anna", "truth set"), ("labeller", "truth carried over")]


def test_a_truth_goes_to_another_study_in_a_merge(site: Site) -> None:
    old, other = store(site, file("a")), store(site, file("b", seed=2, study="other"))
    say(site, old)
    into, out_of = (ask(site, "GET", f"instances/{each}/study").json()["ID"] for each in (other, old))
    ask(site, "POST", f"studies/{into}/merge", {"Resources": [out_of], "KeepSource": False})
    assert_carried(site, the_other(site, other), old)
    assert truth(site, other) is None


def test_a_truth_goes_to_what_is_deleted_and_imported_again(site: Site) -> None:
    """Under the same identifiers; under others, and compressed."""
    old = store(site, file("a"))
    say(site, old)
    site.delete([old])
    follow(site)
    assert store(site, file("a")) == old
    follow(site)
    assert_carried(site, old, old)
    site.delete([old])
    site.server.upload(rle(file("a"), "b"))
    new = the_other(site)
    found = truth(site, new)
    assert found and (found.label, found.author, len(found.history)) == ("knee_ap", "anna", 2)
    assert summary(site, new) == [CARRIED]


def test_different_pixels_do_not_inherit(site: Site) -> None:
    old = store(site, file("a"))
    say(site, old)
    site.delete([old])
    for name in ("a", "b"):
        store(site, file(name, seed=2))
    follow(site)
    assert not any(truth(site, each) for each in site.orthanc.instance_ids(0, 10))
    assert summary(site) == [SET]


def test_an_outcome_about_another_file_says_nothing_of_the_pixels(site: Site) -> None:
    """A label worker may read a file, and write its outcome after another one has come in its place."""
    old = store(site, file("a"))
    say(site, old)
    late = site.orthanc.metadata(old)[PREDICTION]
    site.delete([old])
    assert site.server.upload(file("a", seed=2)) == old
    site.orthanc.put_metadata(old, PREDICTION, late)
    follow(site)
    assert truth(site, old) is None and summary(site) == [SET]


def test_deidentified_copies_do_not_inherit(site: Site) -> None:
    old = store(site, file("a"))
    say(site, old)
    study = ask(site, "GET", f"instances/{old}/study").json()["ID"]
    ask(site, "POST", f"studies/{study}/anonymize", {"KeepSource": True})
    copy = the_other(site, old)
    ds = dcmread(BytesIO(file("b", patient="anonymous")))
    ds.PatientIdentityRemoved, ds.DeidentificationMethod = "YES", "elsewhere"
    written = BytesIO()
    ds.save_as(written)
    from_elsewhere = store(site, written.getvalue())
    follow(site)
    assert truth(site, copy) is None and truth(site, from_elsewhere) is None
    assert summary(site) == [SET]


def test_a_picture_of_one_value_tells_nothing_apart(site: Site) -> None:
    blank = dcmread(BytesIO(file("a")))
    stored = []
    for name in ("a", "b"):
        blank.PixelData = bytes(len(blank.PixelData))
        blank.SOPInstanceUID = blank.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{name == 'b':d}"
        written = BytesIO()
        blank.save_as(written)
        stored.append(store(site, written.getvalue()))
    say(site, stored[0], None)
    follow(site)
    assert truth(site, stored[1]) is None


def test_a_truth_that_is_there_already_stays(site: Site) -> None:
    old = store(site, file("a"))
    say(site, old)
    new = site.server.upload(file("b"))
    put_foreign(site, new, "hand_ap")
    scribbled = site.server.upload(file("c"))
    site.orthanc.put_metadata(scribbled, TRUTH, "seen by Quincy")
    read_all(site)
    follow(site)
    found = truth(site, new)
    assert found and found.label == "hand_ap"
    assert site.orthanc.metadata(scribbled)[TRUTH] == "seen by Quincy"
    assert summary(site, new) == [("hand_ap", "met", "written")]


def test_what_was_withdrawn_is_not_revived(site: Site) -> None:
    first, second = store(site, file("a")), store(site, file("b", seed=2))
    say(site, first)
    say(site, second)
    withdraw_truth(site.orthanc, first, "ben", journal_of(site))
    site.orthanc.delete_metadata(second, TRUTH)
    follow(site)
    assert summary(site, first) == [SET, (None, "set", "written")]
    assert summary(site, second) == [SET, (None, "met", "written")]
    site.delete([first, second])
    again = [store(site, file("c")), store(site, file("b", seed=2))]
    follow(site)
    assert not any(truth(site, each) for each in again)


def test_what_is_withdrawn_on_a_copy_stays_so(site: Site) -> None:
    old = store(site, file("a"))
    say(site, old)
    site.delete([old])
    new = store(site, file("b"))
    follow(site)
    assert_carried(site, new, old)
    site.orthanc.delete_metadata(new, TRUTH)
    follow(site)
    follow(site)
    assert truth(site, new) is None
    assert summary(site, new) == [CARRIED, (None, "met", "written")]
    assert site.rows()[new]["truth"] is None


def test_what_was_said_last_of_the_pixels_counts(site: Site) -> None:
    old = store(site, file("a"))
    say(site, old, "hand_ap", "ben")
    say(site, old)
    site.delete([old])
    new = store(site, file("b"))
    follow(site)
    found = truth(site, new)
    assert found and (found.label, [each.label for each in found.history]) == ("knee_ap", ["hand_ap", "knee_ap"])


def test_a_modified_copy_inherits_although_nobody_had_read_the_pixels_of_the_first(site: Site) -> None:
    old = site.server.upload(file("a"))
    say(site, old)
    modify_patient(site, old)
    assert_carried(site, the_other(site, old), old, "modified from it")


def test_pixels_that_no_label_worker_has_hashed_are_asked_for(site: Site) -> None:
    old = store(site, file("a"))
    outcome = Outcome.from_json(site.orthanc.metadata(old)[PREDICTION])
    site.orthanc.put_metadata(old, PREDICTION, replace(outcome, pixel_hash="", schema=2).to_json())
    put_foreign(site, old, "knee_ap")
    assert old in unread(site)
    read(site, old)
    assert unread(site) == []
    assert [each["pixel_hashes"] for each in entries(site)] == [[outcome.pixel_hash]]


@pytest.fixture(scope="module")
def overwriting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    on = {'"OverwriteInstances": false': '"OverwriteInstances": true'}
    server = Orthanc(tmp_path_factory.mktemp("overwriting"), changes=on)
    server.start()
    yield server
    server.close()


def test_a_truth_outlives_that_its_instance_is_overwritten(site: Site, overwriting: Orthanc) -> None:
    with beside(site, overwriting) as site:
        site.delete(site.orthanc.instance_ids(0, 100))
        same, other = store(site, file("a")), store(site, file("b", seed=2))
        for each in (same, other):
            say(site, each)
        assert store(site, file("a")) == same
        assert store(site, file("b", seed=3)) == other
        follow(site)
        assert_carried(site, same, same)
        assert truth(site, other) is None
        assert summary(site, same) == [SET, CARRIED] and summary(site, other) == [SET]


def test_a_truth_outlives_that_orthanc_is_restored_from_an_older_backup(site: Site, tmp_path: Path) -> None:
    server = Orthanc(tmp_path / "orthanc")
    server.start()
    with closing(server), beside(site, server) as site:
        said, corrected, withdrawn, deleted = (store(site, file(name, seed)) for seed, name in enumerate("abcd"))
        for each in (corrected, withdrawn, deleted):
            say(site, each, "hand_ap", "ben")
        server.stop()
        shutil.copytree(server.data / "storage", tmp_path / "backup")
        server.start()
        say(site, said)
        say(site, corrected)
        withdraw_truth(site.orthanc, withdrawn, "ben", journal_of(site))
        site.orthanc.delete_metadata(deleted, TRUTH)
        follow(site)
        server.stop()
        shutil.rmtree(server.data / "storage")
        shutil.copytree(tmp_path / "backup", server.data / "storage")
        server.start()
        assert truth(site, said) is None
        follow(site)
        follow(site)
        stand = {said: "knee_ap", corrected: "knee_ap", withdrawn: None, deleted: None}
        found = {each: Truth.standing(site.orthanc.metadata(each)) for each in stand}
        assert {each: value and value.label for each, value in found.items()} == stand
        assert summary(site, said) == [SET, CARRIED]
        site.orthanc.delete_metadata(said, TRUTH)
        follow(site)
        assert truth(site, said) is None, "from then on, what is deleted is withdrawn again"
