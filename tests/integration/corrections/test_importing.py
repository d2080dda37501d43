"""Tables of truths with a real Orthanc: imported, exported, and refused."""

import csv
import os
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread

from mskmodel.labels import KEYS
from tests.truth_site import TruthSite
from workers.corrections.importing import Assignment, Interrupted, assign
from workers.metadata.truth import Truth
from workers.metadata.truth_changes import set_truth, withdraw_truth

NOBODY = "00000000-11111111-22222222-33333333-44444444"


def test_a_csv_by_instance_and_one_by_uid_are_imported(site: TruthSite, tmp_path: Path) -> None:
    one, two = site.store("one"), site.store("two")
    uid = dcmread(BytesIO(site.orthanc.file(two, 1 << 30)), stop_before_pixels=True).SOPInstanceUID
    by_instance, by_uid = tmp_path / "a.csv", tmp_path / "b.csv"
    by_instance.write_text(f"instance,label,remark\n{one},knee_ap,clear\n{two},none,no idea\n")
    by_uid.write_bytes(f"\ufefflabel;SOPInstanceUID\r\nhand_ap;{uid}\r\n".encode())
    assert site.msk("truth", "import", by_instance, "--author", "a").stdout == "2 of 2 truths are set\n"
    assert (site.label(one), site.label(two)) == ("knee_ap", None)
    assert site.msk("truth", "import", by_uid, "--author", "b").stdout == "1 of 1 truths are set\n"
    assert site.label(two) == "hand_ap"
    assert [each.label for each in site.truth(two).history] == [None]  # type: ignore[union-attr]


def test_a_uid_that_two_patients_share_names_nobody(site: TruthSite, tmp_path: Path) -> None:
    site.store("shared", "A"), site.store("shared", "B")
    instance_id = site.orthanc.instance_ids(0, 1)[0]
    uid = dcmread(BytesIO(site.orthanc.file(instance_id, 1 << 30)), stop_before_pixels=True).SOPInstanceUID
    assert site.orthanc.statistics().instances == 2
    table = tmp_path / "table.csv"
    table.write_text(f"SOPInstanceUID,label\n{uid},knee_ap\n1.2.3,knee_ap\nQuincy^*,knee_ap\n")
    told = site.msk("truth", "import", table, "--author", "a").stderr
    assert "line 2: several instances share this SOP Instance UID" in told
    assert "line 3: Orthanc holds no such instance" in told
    assert "line 4: Orthanc holds no such instance" in told
    alone = site.msk("truth", "set", uid, "knee_ap", "--author", "a")
    assert "several instances share" in alone.output


def test_every_bad_row_is_named_and_nothing_is_written(site: TruthSite, tmp_path: Path) -> None:
    good, other, scribbled = site.store("good"), site.store("other"), site.store("scribbled")
    site.orthanc.put_metadata(scribbled, "MskTruth", "{}")
    table = tmp_path / "bad.csv"
    lines = [
        "instance,label",
        f"{good},knee_ap",
        f"{good},knee_app",
        f"{NOBODY},knee_ap",
        "Quincy^Jane,knee_ap",
        f"{good},Quincy^Jane",
        f"{other}",
        f"{other},knee_ap,more",
        ",knee_ap",
        f"{good},elbow_ap",
        f"{scribbled},knee_ap",
        f"{other},",
    ]
    table.write_text("\n".join(lines))
    result = site.msk("truth", "import", table, "--author", "a")
    assert result.exit_code == 1
    told = dict(line.split(": ", 1) for line in result.stderr.splitlines() if line.startswith("line "))
    assert list(told) == [f"line {number}" for number in range(3, 13)]
    assert told["line 3"].startswith("knee_app is not among the classes")
    assert told["line 4"] == told["line 5"] == "Orthanc holds no such instance"
    assert told["line 6"].startswith("the label is not among the classes")
    assert told["line 7"] == told["line 8"] == "the number of fields differs from the first line"
    assert told["line 9"] == "instance is empty"
    assert told["line 10"] == "contradicts line 2, which names the same image"
    assert "cannot be read" in told["line 11"]
    assert told["line 12"] == "its label is missing; none stands for none of the classes"
    assert "nothing was changed: 10 of 11 rows" in result.stderr
    assert "Quincy" not in result.output
    assert site.truth(good) is None
    assert site.truth(other) is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (
            b"file,label\nx,knee_ap\n",
            "must name the columns label and instance or SOPInstanceUID; it names no instance",
        ),
        (b"PK\x03\x04", "is a workbook (.xlsx, .ods) or an archive"),
    ],
)
def test_what_is_no_table_is_refused_in_one_line(site: TruthSite, tmp_path: Path, content: bytes, reason: str) -> None:
    table = tmp_path / "table.csv"
    table.write_bytes(content)
    result = site.msk("truth", "import", table, "--author", "a")
    assert result.exit_code == 1
    assert reason in result.output
    assert result.output.count("\n") == 1


def test_a_table_that_excel_saved_is_imported_and_repeats_count_once(site: TruthSite, tmp_path: Path) -> None:
    one, two, table = site.store("excel 1"), site.store("excel 2"), tmp_path / "table.csv"
    rows = f"sep=;\r\nInstance;Label;Bemerkung\r\n{one};none;für später\r\n{two};knee_ap;\r\n;;\r\n{two};knee_ap;\r\n"
    for encoding in ("cp1252", "utf-16"):
        table.write_bytes(rows.encode(encoding))
        result = site.msk("truth", "import", table, "--author", encoding)
        assert result.stdout == "2 of 2 truths are set\n"
        assert "rows that repeat others: 1; each image counts once" in result.stderr
    assert (site.label(one), site.label(two)) == (None, "knee_ap")


def test_a_table_may_come_from_a_pipe(site: TruthSite, tmp_path: Path) -> None:
    stored, pipe = site.store("pipe"), tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as writer:
        writer.submit(pipe.write_text, f"instance,label\n{stored},knee_ap\n")
        assert site.msk("truth", "import", pipe, "--author", "a").stdout == "1 of 1 truths are set\n"


def test_an_export_as_csv_can_be_imported(site: TruthSite, tmp_path: Path) -> None:
    stored, none = site.store("csv"), site.store("csv none")
    site.store("nobody said anything")
    set_truth(site.orthanc, stored, "knee_ap", "a", KEYS)
    set_truth(site.orthanc, none, None, "b", KEYS)
    table = tmp_path / "truths.csv"
    assert site.msk("truth", "export", table).stdout == f"2 truths in {table}\n"
    with table.open(newline="") as file:
        rows = {row["instance"]: (row["label"], row["author"]) for row in csv.DictReader(file)}
    assert rows == {stored: ("knee_ap", "a"), none: ("none", "b")}
    assert site.msk("truth", "import", table, "--author", "c").stdout == "2 of 2 truths are set\n"


def test_a_truth_set_since_a_table_was_exported_is_not_overwritten(site: TruthSite, tmp_path: Path) -> None:
    spoken, same, withdrawn = (site.store(name) for name in ("spoken", "same", "withdrawn"))
    for each in (spoken, same, withdrawn):
        set_truth(site.orthanc, each, "knee_ap", "a", KEYS)
    table = tmp_path / "truths.csv"
    site.msk("truth", "export", table)
    table.write_text(table.read_text().replace("knee_ap", "foot_ap"))
    set_truth(site.orthanc, spoken, "hand_ap", "b", KEYS)
    set_truth(site.orthanc, same, "foot_ap", "b", KEYS)
    withdraw_truth(site.orthanc, withdrawn, "b")

    refused = site.msk("truth", "import", table, "--author", "c")

    assert refused.exit_code == 1
    assert "its truth was set to hand_ap at 20" in refused.output
    assert "its truth was withdrawn at 20" in refused.output
    assert refused.output.count("after the row's time") == 2
    assert site.label(spoken) == "hand_ap"
    with table.open(newline="") as file:
        rows = [(row["instance"], row["label"]) for row in csv.DictReader(file)]
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([("instance", "label"), *rows])
    assert site.msk("truth", "import", table, "--author", "c").exit_code == 0
    assert site.label(spoken) == "foot_ap"


def test_a_dead_orthanc_ends_an_import_with_how_far_it_came(site: TruthSite) -> None:
    stored = [site.store(f"dead {number}") for number in range(3)]
    assignments = [Assignment(line, each, "knee_ap") for line, each in enumerate(stored, 2)]

    def cut(done: int) -> None:
        if done == 2:
            site.server.kill()

    def say(instance_id: str, label: str | None) -> Truth:
        return set_truth(site.orthanc, instance_id, label, "a", KEYS)

    try:
        with pytest.raises(Interrupted, match="2 of 3 rows are written, then Orthanc failed"):
            assign(site.orthanc, assignments, say, cut)
    finally:
        site.server.start()
    assert assign(site.orthanc, assignments, say, lambda _: None) == []
    assert [site.truth(each).history for each in stored] == [(), (), ()]  # type: ignore[union-attr]
