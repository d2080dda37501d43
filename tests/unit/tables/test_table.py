"""Tables as hospitals have them: read alike, or refused by line."""

import csv
import random
from pathlib import Path

import pytest

from mskmodel.tables.problems import TableError
from mskmodel.tables.table import Table, read_table, write_table

PLAIN = "file,label\na b.png,knee_ap\nü.png,none\n"
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"]


def read(folder: Path, content: str | bytes, *needed: str) -> Table:
    path = folder / "labels.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(path, *(needed or ("file", "label")))


def rows(table: Table) -> list[tuple[int, str, str]]:
    return [(row.line, row["file"], row["label"]) for row in table.rows]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_table_reads_the_same_in_every_form(tmp_path: Path, encoding: str, separator: str, end: str) -> None:
    content = PLAIN.replace(",", separator).replace("\n", end).encode(encoding)

    assert rows(read(tmp_path, content)) == [(2, "a b.png", "knee_ap"), (3, "ü.png", "none")]


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        pytest.param("sep=;\nfile;label\na b.png;knee_ap\nü.png;none\n", (3, 4), id="Excel's line with the separator"),
        pytest.param('"sep=\t"\r\nfile\tlabel\r\na b.png\tknee_ap\r\nü.png\tnone', (3, 4), id="quoted, with a tab"),
        pytest.param("\n \n\nfile,label\n\na b.png,knee_ap\n,\n  ,\nü.png,none\n,,\n\n", (6, 9), id="blank lines"),
        pytest.param("file,label,,\na b.png,knee_ap,,\nü.png,none,,,,\n", (2, 3), id="empty columns"),
        pytest.param(" FILE , Label \n a b.png , knee_ap \n\xa0ü.png,none\t\n", (2, 3), id="spaces and capitals"),
        pytest.param('"label", "file"\n"knee_ap", "a b.png"\n"none","ü.png"\n', (2, 3), id="quoted, spaces before"),
        pytest.param('remark,file,label\n"two\nlines, ""q""",a b.png,knee_ap\n"x\r\n\r\ny",ü.png,none\n', (2, 4),
                     id="quoted line ends"),
        pytest.param("file,label,remark\na b.png,knee_ap\nü.png,none,x\n", (2, 3), id="without the last, empty field"),
        pytest.param("file,label\na b.png,knee_ap\nü.png,none\n\x1a", (2, 3), id="DOS end of file"),
        pytest.param('size,file,label\n5" plate,a b.png,knee_ap\n,ü.png,none\n', (2, 3), id="inches"),
    ],
)  # fmt: skip
def test_what_programs_add_to_a_table_does_not_matter(tmp_path: Path, content: str, lines: tuple[int, int]) -> None:
    table = read(tmp_path, content)

    assert rows(table) == [(lines[0], "a b.png", "knee_ap"), (lines[1], "ü.png", "none")]
    assert table.problems == []


def test_what_cannot_be_read_is_told_by_the_line_of_an_editor_and_the_rest_is_read(tmp_path: Path) -> None:
    wrong = ["x.png", "y.png,knee_ap,more", 'z.png,"knee"_ap', "a\0b.png,knee_ap", '"two\nlines",knee_ap', 'v,"knee_ap']

    table = read(tmp_path, "file,label\n" + "\n".join([*wrong[:-1], "good.png,knee_ap", wrong[-1]]))

    assert [(each.line, each.reason.partition(";")[0]) for each in table.problems] == [
        (2, "the number of fields differs from the first line"),
        (3, "the number of fields differs from the first line"),
        (4, "text follows a closing quotation mark"),
        (5, "a field holds a NUL or another control character"),
        (9, "a quotation mark is opened here and never closed"),
    ]
    assert rows(table) == [(6, "two\nlines", "knee_ap"), (8, "good.png", "knee_ap")]


def test_of_columns_with_the_same_meaning_the_first_that_is_there_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "truths.csv"
    path.write_text("label,instance,SOPInstanceUID\nknee_ap,0123\n")

    assert read_table(path, "label", ("instance", "SOPInstanceUID")).rows[0]["instance"] == "0123"


def test_a_field_that_swallows_the_table_is_told_where_it_begins(tmp_path: Path) -> None:
    table = read(tmp_path, 'file,label\nx.png,"knee_ap\n' + "more.png,knee_ap\n" * 20_000)

    assert table.problems[0].line == 2
    assert "too long; perhaps a quotation mark is not closed" in table.problems[0].reason


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf \r\n\n", "is empty"),
        (b"file,label\n", "holds no rows"),
        (b"file;label;\r\n;;\r\n", "holds no rows"),
        (b"file;side\nx;y\n", "the first line must name the columns file and label; it names no label"),
        (b"name,label\nx,y\n", "the first line must name the columns file and label; it names no file"),
        (b"x.png,knee_ap\n", "it names no file and label"),
        (b'sep="\nfile,label\nx,y\n', "the first line must name"),
        (b"file,label,Label\nx,y,z\n", "column 3 has the name of another column"),
        (b"PK\x03\x04" + bytes(range(256)), "is a workbook (.xlsx, .ods) or an archive, not a table of text"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), "is a workbook (.xls)"),
        (bytes(128) + b"DICM" + bytes(64), "is a DICOM file"),
        (bytes(range(256)), "is no text in UTF-8, UTF-16 or Windows-1252"),
        ("file,label\nx,y\n".encode("utf-16")[:-1], "begins as UTF-16 and does not go on so"),
        (bytes(1000), "the first line must name"),
    ],
)
def test_what_is_no_table_is_refused_with_what_it_is(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(TableError) as error:
        read(tmp_path, content)

    assert said in str(error.value)
    assert str(error.value).startswith(str(tmp_path / "labels.csv"))
    assert "\n" not in str(error.value)


def test_a_folder_and_a_missing_file_are_no_tables(tmp_path: Path) -> None:
    for path, said in ((tmp_path, "Is a directory"), (tmp_path / "none.csv", "No such file")):
        with pytest.raises(TableError, match=said):
            read_table(path, "file")


def test_a_file_without_an_end_is_no_table() -> None:
    with pytest.raises(TableError, match="more than 256 MB"):
        read_table(Path("/dev/zero"), "file")


def test_a_table_of_100_000_rows_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "many.csv"
    write_table(path, ("file", "label"), [(f"{number}.png", "knee_ap") for number in range(100_000)])

    table = read_table(path, "file", "label")

    assert rows(table)[-1] == (100_001, "99999.png", "knee_ap")


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    odd = [('a,"b";c', "two\r\nlines"), ("ü\t|", "x"), ("sep=;", "y"), ("=1+1", "")]

    write_table(path, ("file", "label"), odd)

    assert [(row["file"], row["label"]) for row in read_table(path, "file", "label").rows] == odd


def _any_form(chance: random.Random, said: list[tuple[str, str]]) -> bytes:
    """The rows as some program may have written them."""
    separator, end = chance.choice(",;\t|"), chance.choice(["\n", "\r\n", "\r"])
    columns = ["file", "label", *chance.sample(["", "Remark", "Größe", "patient"], chance.randrange(4))]
    chance.shuffle(columns)
    lines = [f"sep={separator}"] if chance.random() < 0.2 else []

    def written(fields: list[str]) -> str:
        always = chance.random() < 0.3
        quoted = [
            '"' + f.replace('"', '""') + '"' if always or set(f) & set(f'{separator}"\r\n') else f for f in fields
        ]
        return separator.join(quoted) + separator * chance.randrange(2)

    lines.append(written([chance.choice([name, name.upper(), f" {name} "]) for name in columns]))
    for file, label in said:
        lines += [separator * chance.randrange(3)] * chance.randrange(2)
        filled = {"file": file, "label": label}
        lines.append(written([filled.get(name, chance.choice(["", "x", "1,5; y", 'a "b"'])) for name in columns]))
    return (end.join(lines) + end * chance.randrange(3)).encode(chance.choice(ENCODINGS))


def test_tables_in_any_form_read_alike_and_damaged_ones_end_in_a_sentence(tmp_path: Path) -> None:
    for seed in range(400):
        chance = random.Random(seed)
        said = [(f"{chance.choice('aäß(')} {n}.png", chance.choice(["knee_ap", "none", ""])) for n in range(8)]
        content = _any_form(chance, said)

        assert [(row["file"], row["label"]) for row in read(tmp_path, content).rows] == said, f"seed {seed}"

        damaged = bytearray(content)
        for _ in range(chance.randrange(1, 5)):
            place = chance.randrange(len(damaged))
            damaged[place : place + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
        try:
            table = read(tmp_path, bytes(damaged))
        except TableError as error:
            assert str(error).startswith(str(tmp_path))
        else:
            assert all(1 < each.line <= damaged.count(10) + damaged.count(13) + 2 for each in table.problems)


def test_the_csv_module_keeps_its_limit(tmp_path: Path) -> None:
    before = csv.field_size_limit()
    read(tmp_path, PLAIN)
    assert csv.field_size_limit() == before
