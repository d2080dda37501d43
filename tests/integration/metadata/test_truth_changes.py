"""Truths with a real Orthanc: set, withdrawn, shown, and written concurrently."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from mskmodel.labels import KEYS
from tests.truth_site import TruthSite
from workers.corrections.finding import truths
from workers.metadata.outcome import LABELLED, PREDICTION, Outcome
from workers.metadata.shown_label import show_label
from workers.metadata.truth import BadTruth, TruthConflict, UnknownInstance
from workers.metadata.truth_changes import set_truth, withdraw_truth
from workers.pacs import OrthancRefused

NOBODY = "00000000-11111111-22222222-33333333-44444444"


def test_a_truth_is_kept_with_author_time_and_history_and_shows_at_once(site: TruthSite) -> None:
    stored = site.store("set")
    site.orthanc.put_metadata(stored, "MskLabel", "elbow_ap")
    assert site.msk("truth", "set", stored, "knee_ap", "--author", "first").exit_code == 0
    assert site.label(stored) == "knee_ap"
    assert site.msk("truth", "set", stored, "", "--author", "second").output.endswith("none of the classes\n")
    assert site.label(stored) is None
    said = json.loads(site.msk("truth", "show", stored).output)
    assert (said["label"], said["author"]) == (None, "second")
    assert [(each["label"], each["author"]) for each in said["history"]] == [("knee_ap", "first")]
    assert said["history"][0]["time"] < said["time"]
    assert said["time"].endswith("+00:00")


def test_the_same_truth_again_changes_nothing(site: TruthSite) -> None:
    stored = site.store("again")
    first = set_truth(site.orthanc, stored, "knee_ap", "a", KEYS)
    assert set_truth(site.orthanc, stored, "knee_ap", " a ", KEYS) == first
    assert set_truth(site.orthanc, stored, "knee_ap", "b", KEYS).history == (first.now,), "another one agrees"


def test_a_side_is_said_kept_with_another_label_and_withdrawn_with_all(site: TruthSite) -> None:
    stored = site.store("side")
    said = site.msk("truth", "set", stored, "knee_ap", "--author", "a", "--side", "R")
    assert said.output == f"{stored}: knee_ap, R\n"
    assert json.loads(site.msk("truth", "show", stored).output)["side"] == "R"
    again = set_truth(site.orthanc, stored, "knee_lateral", "b", KEYS)
    assert (again.label, again.side, again.history[0].side) == ("knee_lateral", "R", "R")
    assert set_truth(site.orthanc, stored, "knee_lateral", "b", KEYS, side="L").side == "L"
    assert set_truth(site.orthanc, stored, "knee_lateral", "b", KEYS, side="").side == ""
    set_truth(site.orthanc, stored, "knee_lateral", "b", KEYS, side="B")
    withdraw_truth(site.orthanc, stored, "b")
    assert set_truth(site.orthanc, stored, "knee_ap", "b", KEYS).side == ""
    with pytest.raises(BadTruth, match="a side is R"):
        set_truth(site.orthanc, stored, "knee_ap", "b", KEYS, side="right")


def test_a_withdrawn_truth_leaves_the_model_s_label_and_a_history(site: TruthSite) -> None:
    labelled, silent = site.store("withdrawn"), site.store("withdrawn, never labelled")
    outcome = Outcome(LABELLED, "0" * 32, 1, label="elbow_ap")
    site.orthanc.put_metadata(labelled, PREDICTION, outcome.to_json())
    assert "nobody has said" in site.msk("truth", "withdraw", labelled, "--author", "b").output
    for instance_id in (labelled, silent):
        set_truth(site.orthanc, instance_id, "knee_ap", "a", KEYS)
        for _ in range(2):  # the second time says nothing new
            assert site.msk("truth", "withdraw", instance_id, "--author", "b").output == f"{instance_id}: withdrawn\n"
    assert (site.label(labelled), site.label(silent)) == ("elbow_ap", None)
    said = json.loads(site.msk("truth", "show", labelled).output)
    assert ("label" in said, said["withdrawn"], said["author"]) == (False, True, "b")
    assert [(each["label"], each["author"]) for each in said["history"]] == [("knee_ap", "a")]
    assert truths(site.orthanc) == ({}, {})
    assert truths(site.orthanc, [labelled])[1] == {labelled: "its truth was withdrawn"}
    show_label(site.orthanc, labelled, site.orthanc.metadata(labelled), replace(outcome, label="hand_ap"))
    assert site.label(labelled) == "hand_ap", "a model may say something else"

    set_truth(site.orthanc, labelled, "knee_ap", "b", KEYS)

    assert site.label(labelled) == "knee_ap"
    truth = site.truth(labelled)
    assert truth
    assert [each.withdrawn for each in (*truth.history, truth.now)] == [False, True, False]


def test_a_model_neither_overwrites_nor_hides_a_truth(site: TruthSite) -> None:
    stored = site.store("hidden")
    before = site.orthanc.metadata(stored)
    set_truth(site.orthanc, stored, None, "a", KEYS)
    outcome = Outcome(LABELLED, "0" * 32, 1, label="elbow_ap")
    show_label(site.orthanc, stored, before, outcome)  # a labeller that looked before the person spoke
    assert site.label(stored) is None
    show_label(site.orthanc, stored, before, None)
    assert site.label(stored) is None


def test_without_a_truth_the_outcome_is_shown(site: TruthSite) -> None:
    stored = site.store("shown")
    show_label(site.orthanc, stored, {}, Outcome(LABELLED, "0" * 32, 1, label="elbow_ap"))
    assert site.label(stored) == "elbow_ap"


def test_of_many_concurrent_writes_none_is_lost_and_the_others_are_refused(site: TruthSite) -> None:
    stored = site.store("at once")

    def say(person: int) -> bool:
        try:
            set_truth(site.orthanc, stored, KEYS[person], f"person {person}", KEYS)
        except TruthConflict as conflict:
            assert "at the same moment" in str(conflict)
            return False
        return True

    with ThreadPoolExecutor(8) as people:
        written = [person for person, done in enumerate(people.map(say, range(8))) if done]
    truth = site.truth(stored)
    assert truth is not None
    said = [each.author for each in (*truth.history, truth.now)]
    assert sorted(said) == [f"person {person}" for person in written]
    assert site.label(stored) == truth.label, "what is shown is what was said last"


def test_a_truth_of_other_software_is_not_lost(site: TruthSite) -> None:
    stored = site.store("scribble")
    site.orthanc.put_metadata(stored, "MskTruth", "seen by Dr. Who")
    with pytest.raises(TruthConflict, match="cannot be read"):
        set_truth(site.orthanc, stored, "knee_ap", "a", KEYS)
    assert site.orthanc.metadata(stored)["MskTruth"] == "seen by Dr. Who"


def test_only_known_classes_instances_and_named_authors_are_taken(site: TruthSite) -> None:
    stored = site.store("checked")
    with pytest.raises(BadTruth, match="knee_lat is not among the classes"):
        set_truth(site.orthanc, stored, "knee_lat", "a", KEYS)
    with pytest.raises(BadTruth, match="1 to 60 letters"):
        set_truth(site.orthanc, stored, "knee ap", "a", ["knee ap"])
    for author in ("", "  ", "x" * 65, "a\nb"):
        with pytest.raises(BadTruth, match="an author is needed"):
            set_truth(site.orthanc, stored, "knee_ap", author, KEYS)
    for nobody in (NOBODY, "../system", ""):
        with pytest.raises(UnknownInstance):
            set_truth(site.orthanc, nobody, "knee_ap", "a", KEYS)
    assert site.truth(stored) is None


def test_an_unknown_instance_is_reported_as_unknown(site: TruthSite) -> None:
    for name in (NOBODY, "1.2.3", "Quincy^Jane"):
        for command in (("show", name), ("set", name, "knee_ap", "--author", "a")):
            assert site.msk("truth", *command).output == "Error: Orthanc holds no such instance\n"


def test_a_new_class_is_accepted_if_it_is_declared(site: TruthSite) -> None:
    stored = site.store("wrist")
    refused = site.msk("truth", "set", stored, "wrist_ap", "--author", "a")
    assert refused.exit_code == 1
    assert "wrist_ap is not among the classes" in refused.output
    assert site.msk("truth", "set", stored, "wrist_ap", "--author", "a", "--new-class", "wrist_ap").exit_code == 0
    assert site.label(stored) == "wrist_ap"


def test_a_server_without_our_metadata_is_an_error_that_names_what_is_missing(site: TruthSite) -> None:
    stored = site.store("unregistered")
    with pytest.raises(OrthancRefused, match="UserMetadata"):
        site.orthanc.replace_metadata(stored, "NotRegistered", None, "x")


def test_who_names_what_he_has_seen_overwrites_nothing_that_he_has_not(site: TruthSite) -> None:
    stored = site.store("seen")
    first = set_truth(site.orthanc, stored, "knee_ap", "a", KEYS, seen="")
    with pytest.raises(TruthConflict, match="since you looked"):
        set_truth(site.orthanc, stored, "hand_ap", "b", KEYS, seen="")
    assert set_truth(site.orthanc, stored, "knee_ap", "a", KEYS, seen="") == first, "sent twice, it is said once"
    second = set_truth(site.orthanc, stored, "hand_ap", "b", KEYS, seen=first.time)
    with pytest.raises(TruthConflict, match="since you looked"):
        withdraw_truth(site.orthanc, stored, "a", seen=first.time)
    assert site.truth(stored) == second
    withdraw_truth(site.orthanc, stored, "b", seen=second.time)
    assert set_truth(site.orthanc, stored, "foot_ap", "a", KEYS, seen="").label == "foot_ap", "nothing stands"
