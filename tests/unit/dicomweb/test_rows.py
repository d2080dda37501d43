"""Rows are read whole, however their bytes come in, and a list that was cut off is none."""

import json
from collections.abc import Iterator

import pytest

from workers.dicomweb.rows import rows_of
from workers.pacs import OrthancUnavailable

ROWS = [
    {"00100010": {"vr": "PN", "Value": [{"Alphabetic": 'Ü]}^Müller\\"[{'}]}},
    {"00080018": {"vr": "UI", "Value": ["1.2"]}, "00081140": {"vr": "SQ", "Value": [{}, {}]}},
    {},
]
TEXT = ("  [" + "\n,".join(json.dumps(row, indent=1, ensure_ascii=False) for row in ROWS) + "\n]\n").encode()


def pieces(data: bytes, length: int) -> Iterator[bytes]:
    return (data[start : start + length] for start in range(0, len(data), length))


@pytest.mark.parametrize("length", [1, 2, 7, 1000])
def test_rows_are_those_that_were_sent(length: int) -> None:
    found = list(rows_of(pieces(TEXT, length)))
    assert [row.elements for row in found] == ROWS
    assert [json.loads(row.text) for row in found] == ROWS


@pytest.mark.parametrize("text", [b"[]", b" [ ] \n"])
def test_a_list_may_be_empty(text: bytes) -> None:
    assert list(rows_of([text])) == []


@pytest.mark.parametrize("length", range(len(TEXT.rstrip())))
def test_what_was_cut_off_is_refused(length: int) -> None:
    with pytest.raises(OrthancUnavailable):
        list(rows_of([TEXT[:length]]))


@pytest.mark.parametrize("text", [b"", b"{}", b"<html>", b'[{"a": 1}] and more', b'["text"]', b"[1]"])
def test_what_is_no_list_of_rows_is_refused(text: bytes) -> None:
    with pytest.raises(OrthancUnavailable):
        list(rows_of([text]))


def test_the_first_value_of_an_attribute() -> None:
    (row,) = rows_of([b'[{"A": {"Value": ["x", "y"]}, "B": {}, "C": {"Value": [null]}}]'])
    assert [row.first(tag) for tag in "ABCD"] == ["x", "", "", ""]
