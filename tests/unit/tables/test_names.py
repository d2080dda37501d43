"""Lists of identifiers: one a line, or a column of a table."""

import re
from pathlib import Path

import pytest

from mskmodel.tables.names import names_in
from mskmodel.tables.problems import TableError

SHAPE = re.compile("[0-9a-f]{4}")


def names(content: bytes) -> list[str]:
    return names_in(content, Path("list.txt"), "instance", SHAPE)


@pytest.mark.parametrize(
    "content",
    [
        b"00aa\n11bb\n",
        b"\xef\xbb\xbf00aa\r\n\r\n11bb",
        "00aa\r\n11bb\r\n".encode("utf-16"),
        "00aa\n11bb\n".encode("utf-16-be"),
        b'"00aa",\r"11bb",\r00aa\r',
        b"00aa 11bb",
        b"Instance;label\n00aa;knee_ap\n11bb;none\n",
        b"sep=;\ninstance;label\n00aa;?\n11bb;?\n00aa;?\n",
    ],
)
def test_a_list_is_read_in_every_form_and_each_name_once(content: bytes) -> None:
    assert names(content) == ["00aa", "11bb"]


def test_what_is_no_name_is_told_by_line_and_not_repeated() -> None:
    for content in (b"00aa\n\nQuincy\n11bb\n", b"label,instance\n,00aa\nx,Quincy\n"):
        with pytest.raises(TableError) as error:
            names(content)
        assert str(error.value) == "list.txt cannot be used: line 3: no instance"


@pytest.mark.parametrize(("content", "said"), [(b"", "names no instance"), (b"PK\x03\x04", "is a workbook")])
def test_what_is_no_list_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(TableError, match=said):
        names(content)
