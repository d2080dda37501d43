"""What a file says, in text or in what looks like a UID, stays in the file: only terms of known tables are repeated."""

import json
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from pydicom import config
from pydicom.datadict import DicomDictionary
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from tests import dicom_files
from tests.local_stack import LocalStack
from tests.waiting import until

pytestmark = pytest.mark.stack

#: What no one else may see: a name, and a number that stands in UIDs too.
NAME, NUMBER = "QUINCYHIDDEN", "19700131271828"
#: Elements that decide whether a file is stored and read at all.
_KEPT = frozenset(("PhotometricInterpretation", "SOPClassUID", "PixelPresentation", "ExtendedOffsetTable"))
#: Fields of which the file says something in codes of the standard.
IN_CODES = ("anatomic region", "view code")
_TEXT = frozenset(("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"))


def _fill(ds: Dataset) -> None:
    """Put the name into every text element there is, and the number into every UID."""
    for number, (vr, _, _, retired, keyword) in DicomDictionary.items():
        if number < 0x00080000 or number >= 0x60000000 or retired or keyword in _KEPT:
            continue
        if vr in _TEXT:
            _set(ds, number, vr, NAME)
        elif vr == "UI":
            _set(ds, number, vr, f"1.2.826.0.1.{NUMBER}.{number}")
    _set(ds, 0x00091001, "LO", NAME)
    ds.file_meta.ImplementationVersionName = NAME


def _set(ds: Dataset, tag: int | str, vr: str, value: str) -> None:
    ds.add(DataElement(Tag(tag), vr, value))


def _readable(ds: Dataset) -> None:
    _fill(ds)


def _unknown_class(ds: Dataset) -> None:
    _fill(ds)
    _set(ds, "SOPInstanceUID", "UI", f"1.2.826.0.1.{NUMBER}.2")
    _set(ds, "SOPClassUID", "UI", f"1.2.840.10008.5.1.4.1.1.{NUMBER}")
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID


def _class_in_words(ds: Dataset) -> None:
    _fill(ds)
    _set(ds, "SOPInstanceUID", "UI", f"1.2.826.0.1.{NUMBER}.3")
    _set(ds, "SOPClassUID", "UI", NAME)


def _photometric_in_words(ds: Dataset) -> None:
    _fill(ds)
    _set(ds, "SOPInstanceUID", "UI", f"1.2.826.0.1.{NUMBER}.4")
    _set(ds, "PhotometricInterpretation", "CS", NAME)


def _frames_in_words(ds: Dataset) -> None:
    _fill(ds)
    _set(ds, "SOPInstanceUID", "UI", f"1.2.826.0.1.{NUMBER}.5")
    _set(ds, "NumberOfFrames", "LO", NAME)


def _cut_short(ds: Dataset) -> None:
    _fill(ds)
    _set(ds, "SOPInstanceUID", "UI", f"1.2.826.0.1.{NUMBER}.6")
    ds.PixelData = ds.PixelData[:1000]


CASES = {
    "readable": (_readable, {"labelled", "needs-review"}),
    "unknown class": (_unknown_class, {"skipped"}),
    "class in words": (_class_in_words, {"skipped"}),
    "photometric in words": (_photometric_in_words, {"failed"}),
    "frames in words": (_frames_in_words, {"skipped"}),
    "cut short": (_cut_short, {"failed"}),
}


@pytest.fixture(scope="module")
def told(shared_stack: LocalStack) -> dict[str, str]:
    """By case, the instance in the stack, which has its outcome."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's, of the character set
        patch.setattr(config.settings, "_reading_validation_mode", config.IGNORE)
        patch.setattr(config.settings, "_writing_validation_mode", config.IGNORE)
        files = {name: dicom_files.edited(name, change) for name, (change, _) in CASES.items()}
    instances = {name: shared_stack.orthanc.upload(data) for name, data in files.items()}
    for instance_id in instances.values():
        until(lambda each=instance_id: shared_stack.outcome(each), seconds=60)
    return instances


@pytest.mark.parametrize("name", CASES)
def test_the_metadata_repeat_nothing(told: dict[str, str], shared_stack: LocalStack, name: str) -> None:
    metadata = shared_stack.orthanc.metadata(told[name])
    ours = {key: value for key, value in metadata.items() if key.startswith("Msk")}

    assert json.loads(ours["MskPrediction"])["status"] in CASES[name][1], ours
    assert not _secrets_in(json.dumps(ours))


def test_texts_that_no_table_knows_are_other_or_a_hash(told: dict[str, str], shared_stack: LocalStack) -> None:
    outcome = shared_stack.outcome(told["readable"])
    assert outcome is not None
    assert outcome["header"] == {"body_part": "other", "view_position": "other", "laterality": "other"}
    codes = [one["terms"] for one in outcome["claims"]["claims"] if one["field"] not in IN_CODES]
    assert codes
    assert all(re.fullmatch("#[0-9a-f]{12}", term) for terms in codes for term in terms)


def test_logs_commands_and_the_broker_repeat_nothing(
    told: dict[str, str], shared_stack: LocalStack, tmp_path: Path
) -> None:
    shared_stack.msk("truth", "set", told["readable"], "knee_ap", "--author", "tester")
    shared_stack.msk("truth", "set", told["cut short"], "knee_ap", "--author", "tester")
    shown = [_log(path) for path in (shared_stack.data / "logs").iterdir()]
    for command in (
        ("audit", "--json"),
        ("jobs", "submit", "--rehearsal", "0", "--instances", str(_listed(tmp_path, told))),
        ("jobs", "list", "--json"),
        ("jobs", "suggest", "9", "--json", "-"),
        ("truth", "export", str(tmp_path / "exported")),
    ):
        ended = shared_stack.msk(*command, check=False)
        shown += [ended.stdout, ended.stderr]
    shown += [path.read_text() for path in tmp_path.rglob("*.csv")]
    shown += [str(path) for path in tmp_path.rglob("*")]
    shown += _broker(shared_stack.state["broker"]["url"])

    assert len(shown) > 15
    assert not [text for text in shown if _secrets_in(text)]


def _log(path: Path) -> str:
    """A log; of Orthanc's, which quotes character sets that it does not know, the lines of our plugin."""
    text = path.read_text(errors="replace")
    if path.name.startswith("orthanc"):
        return "\n".join(line for line in text.splitlines() if "webhook." in line)
    return text


def _listed(folder: Path, told: dict[str, str]) -> Path:
    file = folder / "instances.txt"
    file.write_text("\n".join(told.values()))
    return file


def _broker(url: str) -> Iterator[str]:
    """Everything in the broker's database: keys, and what they hold, serialized."""
    with redis.Redis.from_url(url) as client:
        for key in client.scan_iter():
            yield key.decode(errors="replace")
            yield (client.dump(key) or b"").decode("latin-1")


def _secrets_in(text: str) -> bool:
    return NAME.lower() in text.lower() or NUMBER in text
