"""Patient and study as the header of an image has them, for another object of the same study (PS3.3 C.7.1.1, C.7.2.1).

Values are copied as they lie in the file, with its character set, so that both objects say the same byte by byte. Where
one of them is not as the standard wants it, all become UTF-8, and that one is cut, or is left empty where a part of it
would be a wrong value. What decides about identity is never changed.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Final

from pydicom.charset import decode_bytes, python_encoding
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.valuerep import TEXT_VR_DELIMS

from mskmodel.dicom.character_set import codec, decoded
from mskmodel.dicom.scan import scan_data_set, scan_meta

__all__ = ["BadHeader", "study_header"]

#: What tells patient and study apart; copied as it is, or not at all.
_IDENTITY: Final = ("PatientID", "StudyInstanceUID")
#: What every object has, empty where nobody knows it (type 2).
_EVERYWHERE: Final = (
    *_IDENTITY,
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "StudyID",
    "AccessionNumber",
)
_OPTIONAL: Final = ("IssuerOfPatientID", "StudyDescription")
#: Texts of which a part still says something.
_MAY_BE_CUT: Final = ("PatientName", "ReferringPhysicianName", "StudyDescription")

_CHARACTER_SET: Final = "SpecificCharacterSet"
_UTF_8: Final = b"ISO_IR 192"
#: Most characters (PS3.5 6.2); of a name, of each group of its components.
_LONGEST: Final = {"LO": 64, "SH": 16, "UI": 64, "PN": 64}
#: Characters of a value that is read; longer ones are wrong whatever they are.
_READ: Final = 2048
#: Control characters in bytes, but for those that switch between character sets.
_CONTROL: Final = re.compile(rb"[\x00-\x1a\x1c-\x1f\x7f]")
#: Control characters, and what separates values.
_FORBIDDEN: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\\]")
_TIME: Final = re.compile(r"([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,6})?)?)?")


class BadHeader(Exception):
    """No valid object can be made for this study. The message says which attribute is in the way, not its value."""


def study_header(data: bytes) -> Dataset:
    """Return patient and study of a DICOM file, with Specific Character Set where there is one.

    Raises:
        BadHeader: Patient ID or Study Instance UID is not as the standard wants it.
        NotClassifiable: the file is damaged.
    """
    tags = {keyword: Tag(keyword) for keyword in (_CHARACTER_SET, *_EVERYWHERE, *_OPTIONAL)}
    scan = scan_data_set(data, scan_meta(data), keep=frozenset(tags.values()))
    found = {keyword: scan.value(keyword).rstrip(b" \0") for keyword in tags}
    character_set = found.pop(_CHARACTER_SET)
    texts = _exactly(found, character_set)
    if not texts or not all(_is_valid(keyword, text) for keyword, text in texts.items()):
        texts = {keyword: decoded(value, codec(character_set), _READ) for keyword, value in found.items()}
        wrong = {key for key, text in texts.items() if _CONTROL.search(found[key]) or not _is_valid(key, text)}
        _check_identity(texts, wrong)
        found = {key: (_cut(key, text) if key in wrong else text).encode() for key, text in texts.items()}
        character_set = _UTF_8
    ds = Dataset()
    for keyword, value in {_CHARACTER_SET: character_set, **found}.items():
        if value or keyword in _EVERYWHERE:
            _put(ds, keyword, value)
    return ds


def _exactly(values: Mapping[str, bytes], character_set: bytes) -> dict[str, str]:
    """The texts, by the character set that the file names; {} where it names none that says what all of them are."""
    terms = [term.strip() for term in character_set.decode("ascii", "replace").split("\\")]
    if not all(term in python_encoding for term in terms):
        return {}
    if not any(terms) and not all(value.isascii() for value in values.values()):
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they quote the value
        encodings = [python_encoding[term] for term in terms]
        texts = {key: decode_bytes(value, encodings, TEXT_VR_DELIMS) for key, value in values.items()}
    return {} if any("\ufffd" in text or "\x1b" in text for text in texts.values()) else texts


def _is_valid(keyword: str, text: str) -> bool:
    vr = dictionary_VR(keyword)
    if not text:
        return keyword != "StudyInstanceUID"
    if vr == "DA":
        return _is_date(text)
    if vr == "TM":
        return _TIME.fullmatch(text) is not None
    if vr == "CS":
        return text in ("M", "F", "O")
    if vr == "UI":
        return re.fullmatch(r"[0-9.]{1,64}", text) is not None
    groups = text.split("=") if vr == "PN" else [text]
    fits = len(groups) <= 3 and all(len(group) <= _LONGEST[vr] and group.count("^") <= 4 for group in groups)
    return not _FORBIDDEN.search(text) and (fits if vr == "PN" else len(text) <= _LONGEST[vr])


def _is_date(text: str) -> bool:
    try:
        return re.fullmatch(r"\d{8}", text) is not None and bool(datetime.strptime(text, "%Y%m%d"))
    except ValueError:
        return False


def _check_identity(texts: Mapping[str, str], wrong: AbstractSet[str]) -> None:
    for keyword, name in zip(_IDENTITY, ("Patient ID", "Study Instance UID"), strict=True):
        if keyword in wrong:
            raise BadHeader(f"its {name} is not as DICOM wants it ({len(texts[keyword])} characters)")


def _cut(keyword: str, text: str) -> str:
    """A part of a value that is not valid; empty where that would be a wrong value."""
    if keyword not in _MAY_BE_CUT:
        return ""
    plain = _FORBIDDEN.sub(" ", text).replace("=", " ")
    cut = "^".join(plain.split("^")[:5])[: _LONGEST["LO"]].strip()
    return cut if _is_valid(keyword, cut) else ""


def _put(ds: Dataset, keyword: str, value: bytes) -> None:
    """Put an element in as bytes, which no writer encodes anew."""
    tag, vr = Tag(keyword), dictionary_VR(keyword)
    padded = value + (b"\0" if vr == "UI" else b" ") * (len(value) % 2)
    ds[tag] = RawDataElement(tag, vr, len(padded), padded, 0, False, True)
