"""The text of a file, in whichever encoding a program for tables has saved it."""

from __future__ import annotations

import codecs

from mskmodel.tables.problems import TableError

__all__ = ["text_of"]

#: What tables are often confused with, by how they begin.
_NO_TEXT = {
    b"PK\x03\x04": "a workbook (.xlsx, .ods) or an archive",
    b"\xd0\xcf\x11\xe0": "a workbook (.xls)",
    b"%PDF": "a PDF file",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
}
#: Bytes in which UTF-16 without a mark is looked for, and least share of zeros in every second one.
_LOOKED_AT, _ZEROS = 64, 0.75


def text_of(data: bytes, name: str) -> str:
    """The text without byte order marks; line ends are kept.

    UTF-8 and UTF-16 are recognised, with or without a mark. What is neither is read as Windows-1252, in which Excel
    saves plain CSV. ``name``: for messages. Raises TableError.
    """
    kind = next((what for start, what in _NO_TEXT.items() if data.startswith(start)), None)
    if data[128:132] == b"DICM":
        kind = "a DICOM file"
    if kind:
        raise TableError(f"{name} is {kind}, not a table of text; save the table as CSV UTF-8")
    encoding = _encoding(data)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        if encoding != "utf-8":
            raise TableError(f"{name} begins as UTF-16 and does not go on so; save it as CSV UTF-8") from None
        text = _from_windows(data, name)
    return text.lstrip("\ufeff").rstrip("\x1a")  # DOS programs mark the end of a text so


def _encoding(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    # Of the letters of a first line, UTF-16 has one byte that is 0, the first or the second.
    start = data[:_LOOKED_AT]
    first, second = start[0::2], start[1::2]
    if second.count(0) > _ZEROS * len(second) and not first.count(0):
        return "utf-16-le"
    if first.count(0) > _ZEROS * len(first) and not second.count(0):
        return "utf-16-be"
    return "utf-8"


def _from_windows(data: bytes, name: str) -> str:
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:
        raise TableError(f"{name} is no text in UTF-8, UTF-16 or Windows-1252; save it as CSV UTF-8") from None
