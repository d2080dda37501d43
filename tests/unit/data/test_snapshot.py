"""Snapshots: split by patient for good, memory-mapped, and whole or not there at all."""

import json
import stat
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from mskmodel.data.dataset import read_pictures
from mskmodel.data.labels_file import Labelled
from mskmodel.data.patient_key import FILE, SiteSecret, SiteSecretError, is_held_out
from mskmodel.data.pixel_cache import PixelCache
from mskmodel.data.snapshot import MANIFEST, LeftOut, Row, Snapshot, SnapshotError, write_snapshot
from mskmodel.dicom.writing import Header, write_dx
from mskmodel.network.preprocessing import Preprocessing
from mskmodel.radiograph import Radiograph
from tests import dicom_files

PREPROCESSING = Preprocessing()
CLASSES = ("knee_ap", "knee_lateral")
#: Keys of a patient who is held out and of one who is not.
HELD_OUT, TRAINING = "00000005" + "0" * 8, "00000001" + "0" * 8


def radiograph(number: int) -> Radiograph:
    return Radiograph(dicom_files.gradient(12, 100 + number, 80), 12)


@pytest.fixture
def cache(tmp_path: Path) -> PixelCache:
    return PixelCache(tmp_path / "registry", PREPROCESSING)


def rows(cache: PixelCache, labels: Sequence[str | None], patients: Sequence[str]) -> list[Row]:
    found = []
    for number, (label, patient) in enumerate(zip(labels, patients, strict=True)):
        md5 = f"{number:032x}"
        cache.add(md5, radiograph(number))
        found.append(Row(f"instance-{number}", md5, label, patient))
    return found


def write(cache: PixelCache, directory: Path) -> Snapshot:
    wanted = rows(cache, ["knee_lateral", None, "knee_ap", "wrist_ap"], [HELD_OUT, TRAINING, TRAINING, TRAINING])
    return write_snapshot(directory, CLASSES, PREPROCESSING, wanted, [LeftOut("other", "it was deleted")], cache)


def test_a_snapshot_holds_what_training_from_files_would_see(cache: PixelCache, tmp_path: Path) -> None:
    snapshot = write(cache, tmp_path / "snapshot")
    files = [tmp_path / f"{number}.dcm" for number in range(4)]
    for number, file in enumerate(files):
        pixels = dicom_files.gradient(12, 100 + number, 80)
        file.write_bytes(write_dx(pixels, header=Header(identity=str(number)), bits=12))
    labels = ["knee_lateral", None, "knee_ap", None]
    rows = [Labelled(*each) for each in zip(files, labels, strict=True)]
    read = read_pictures(rows, CLASSES, PREPROCESSING).pictures
    assert snapshot.pictures.digest() == read.digest()
    assert [row.instance for row in snapshot.rows] == [f"instance-{number}" for number in range(4)]
    assert snapshot.rows[3].label == "wrist_ap", "what was said is kept, although it is none of the classes"
    assert snapshot.left_out == (LeftOut("other", "it was deleted"),)


def test_a_snapshot_is_not_read_into_memory_and_cannot_be_changed(cache: PixelCache, tmp_path: Path) -> None:
    snapshot = write(cache, tmp_path / "snapshot")
    before = (tmp_path / "snapshot" / "values.npy").read_bytes()
    pictures = snapshot.pictures
    assert isinstance(pictures.values, np.memmap)
    torch.from_numpy(pictures.values)[0] += 1
    assert (tmp_path / "snapshot" / "values.npy").read_bytes() == before


def test_the_same_truths_give_the_same_digest_whatever_their_order(cache: PixelCache, tmp_path: Path) -> None:
    wanted = rows(cache, ["knee_ap", None, "knee_lateral"], [HELD_OUT, TRAINING, TRAINING])
    one = write_snapshot(tmp_path / "1", CLASSES, PREPROCESSING, wanted, [], cache)
    two = write_snapshot(tmp_path / "2", CLASSES, PREPROCESSING, wanted[::-1], [], cache)
    other = write_snapshot(tmp_path / "3", CLASSES[::-1], PREPROCESSING, wanted, [], cache)
    assert one.digest == two.digest == Snapshot(tmp_path / "1").digest
    assert other.digest != one.digest


def test_no_rows_no_manifest_and_a_second_snapshot_are_refused_with_the_reason(
    cache: PixelCache, tmp_path: Path
) -> None:
    with pytest.raises(SnapshotError, match="no image can be trained on"):
        write_snapshot(tmp_path / "none", CLASSES, PREPROCESSING, [], [], cache)
    with pytest.raises(SnapshotError, match=f"{MANIFEST} is missing"):
        Snapshot(tmp_path)
    write(cache, tmp_path / "snapshot")
    with pytest.raises(SnapshotError, match="holds a snapshot already"):
        write(cache, tmp_path / "snapshot")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        (MANIFEST, b"{", "cannot be read"),
        (MANIFEST, b"[]", "not the manifest"),
        (MANIFEST, b"{}", "not the manifest"),
        ("values.npy", b"", "damaged"),
        ("labels.npy", None, "damaged"),
    ],
)
def test_damage_is_found_when_a_snapshot_is_opened(
    cache: PixelCache, tmp_path: Path, name: str, content: bytes | None, reason: str
) -> None:
    write(cache, tmp_path / "snapshot")
    path = tmp_path / "snapshot" / name
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(SnapshotError, match=reason):
        Snapshot(tmp_path / "snapshot")


def test_a_changed_label_is_found_when_a_snapshot_is_opened(cache: PixelCache, tmp_path: Path) -> None:
    write(cache, tmp_path / "snapshot")
    path = tmp_path / "snapshot" / MANIFEST
    manifest = json.loads(path.read_text())
    manifest["rows"][0]["label"] = "knee_ap"
    path.write_text(json.dumps(manifest))
    with pytest.raises(SnapshotError, match="was changed"):
        Snapshot(tmp_path / "snapshot")


def test_missing_images_are_found_when_a_snapshot_is_opened(cache: PixelCache, tmp_path: Path) -> None:
    write(cache, tmp_path / "snapshot")
    np.save(tmp_path / "snapshot" / "labels.npy", np.zeros(1, np.int64))
    with pytest.raises(SnapshotError, match="images are missing"):
        Snapshot(tmp_path / "snapshot")


def test_a_snapshot_that_was_interrupted_is_written_again(cache: PixelCache, tmp_path: Path) -> None:
    wanted = rows(cache, ["knee_ap"] * 3, [TRAINING] * 3)

    def stop(done: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_snapshot(tmp_path / "snapshot", CLASSES, PREPROCESSING, wanted, [], cache, stop)
    with pytest.raises(SnapshotError):
        Snapshot(tmp_path / "snapshot")
    assert len(write_snapshot(tmp_path / "snapshot", CLASSES, PREPROCESSING, wanted, [], cache).pictures) == 3


def test_a_damaged_picture_in_the_cache_counts_as_missing(cache: PixelCache, tmp_path: Path) -> None:
    md5 = "0" * 32
    assert cache.find(md5) is None
    cache.add(md5, radiograph(0))
    (file,) = (tmp_path / "registry").rglob("*.npy")
    for content in (b"", file.read_bytes()[:-1], b"\x93NUMPY", np.lib.format.MAGIC_PREFIX + b"\x01\x00\xff\xff{"):
        file.write_bytes(content)
        assert cache.find(md5) is None
    np.save(file, np.zeros((3, 3), np.float32))
    assert cache.find(md5) is None
    cache.add(md5, radiograph(0))
    assert cache.find(md5) is not None
    assert [path.name for path in file.parent.iterdir()] == [file.name], "nothing is left behind"


def test_the_cache_keeps_pictures_of_each_window_apart(cache: PixelCache, tmp_path: Path) -> None:
    cache.add("0" * 32, radiograph(0))
    other = PixelCache(tmp_path / "registry", Preprocessing(window=(1.0, 99.0)))
    assert other.find("0" * 32) is None


def test_a_fifth_of_the_patients_is_held_out_for_good(tmp_path: Path) -> None:
    secret = SiteSecret.of(tmp_path)
    held_out = {number for number in range(2000) if is_held_out(secret.patient(str(number)))}
    assert 330 < len(held_out) < 470  # 400 give or take four standard deviations
    again = SiteSecret.of(tmp_path)
    assert held_out == {number for number in range(2000) if is_held_out(again.patient(str(number)))}
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    assert "value" not in repr(secret)


def test_another_site_has_other_keys(tmp_path: Path) -> None:
    one, two = SiteSecret.of(tmp_path / "1"), SiteSecret.of(tmp_path / "2")
    assert one.patient("P-1") != two.patient("P-1")
    assert one.uid("study", "P-1") != one.uid("series", "P-1")
    assert len(one.uid("study", "P-1")) <= 64


def test_all_who_create_the_secret_at_once_get_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        assert len({secret.value for secret in pool.map(SiteSecret.of, [tmp_path] * 16)}) == 1
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


@pytest.mark.parametrize("content", ["", "12", "secret", "00" * 31])
def test_a_damaged_secret_is_not_replaced(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE).write_text(content)
    with pytest.raises(SiteSecretError, match="restore it from a backup"):
        SiteSecret.of(tmp_path)
    assert (tmp_path / FILE).read_text() == content


def test_a_folder_that_cannot_be_written_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SiteSecretError, match="Not a directory"):
        SiteSecret.of(tmp_path / "file" / "registry")
