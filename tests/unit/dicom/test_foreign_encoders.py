"""Files that other encoders wrote are read pixel for pixel, whatever the layout of their samples."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from pydicom import uid

from mskmodel.dicom.reading import read_radiograph
from mskmodel.radiograph import Undecodable
from tests.foreign_encoders import MISSING, Cells, dcmtk, htj2k, jpeg_2000, with_codestream

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")

#: Every layout that a radiograph comes in.
CELLS = [
    Cells(8, 8),
    Cells(8, 7),
    Cells(8, 6),
    Cells(8, 8, signed=True),
    Cells(8, 6, shift=2),
    Cells(16, 8),
    Cells(16, 8, signed=True),
    Cells(16, 10),
    Cells(16, 12),
    Cells(16, 12, signed=True),
    Cells(16, 12, shift=4),
    Cells(16, 12, shift=4, signed=True),
    Cells(16, 10, shift=2),
    Cells(16, 12, overlay=True),
    Cells(16, 12, shift=2, overlay=True),
    Cells(16, 12, overlay=True, signed=True),
    Cells(16, 10, monochrome1=True),
    Cells(16, 14),
    Cells(16, 15, monochrome1=True),
    Cells(16, 16),
    Cells(16, 16, signed=True),
    Cells(16, 16, monochrome1=True, signed=True),
]
OTHER_CELLS = [
    Cells(8, 8, as_words=True),
    Cells(32, 12),
    Cells(32, 16, shift=16),
    Cells(32, 16, signed=True, monochrome1=True),
    Cells(32, 20),
    Cells(32, 32),
    Cells(32, 32, signed=True),
]
NATIVE = {"implicit": "+ti", "explicit": "+te", "big endian": "+tb", "deflated": "+td"}
LOSSLESS = {
    "RLE": ("dcmcrle",),
    "RLE in fragments": ("dcmcrle", "+fs", "2", "-ot"),
    "JPEG lossless SV1": ("dcmcjpeg", "+e1"),
    "JPEG lossless": ("dcmcjpeg", "+el"),
    "JPEG lossless in fragments": ("dcmcjpeg", "+e1", "+fs", "2", "-ot"),
    "JPEG-LS": ("dcmcjpls", "+el"),
}


def assert_read(data: bytes, cells: Cells, tolerance: int = 0) -> None:
    radiograph = read_radiograph(data)
    lost = max(0, cells.stored - 16)
    assert radiograph.bits == cells.stored - lost
    difference = np.abs(radiograph.pixels.astype(np.int64) - (cells.expected >> lost))
    assert difference.max() <= tolerance, f"{(difference > tolerance).mean():.0%} of the pixels are others"


@pytest.mark.parametrize("cells", CELLS + OTHER_CELLS, ids=str)
@pytest.mark.parametrize("syntax", NATIVE)
def test_uncompressed(syntax: str, cells: Cells, tmp_path: Path) -> None:
    assert_read(dcmtk("dcmconv", NATIVE[syntax], cells=cells, folder=tmp_path), cells)


@pytest.mark.parametrize("cells", CELLS, ids=str)
@pytest.mark.parametrize("encoder", LOSSLESS)
def test_lossless(encoder: str, cells: Cells, tmp_path: Path) -> None:
    program, *options = LOSSLESS[encoder]
    assert_read(dcmtk(program, *options, cells=cells, folder=tmp_path), cells)


@pytest.mark.parametrize("predictor", range(1, 8))
def test_every_predictor_of_lossless_jpeg(predictor: int, tmp_path: Path) -> None:
    for cells in (Cells(8, 8), Cells(16, 12), Cells(16, 16)):
        made = dcmtk("dcmcjpeg", "+el", "+sv", str(predictor), cells=cells, folder=tmp_path)
        assert_read(made, cells)


#: dcmtk's lossy JPEG-LS takes no sign, and below 8 bits it is not what the standard (ISO/IEC 14495-1) says.
NEAR = [cells for cells in CELLS if cells.stored >= 8 and not (cells.signed or cells.overlay)]


@pytest.mark.parametrize("cells", NEAR, ids=str)
def test_near_lossless_jpeg_ls(cells: Cells, tmp_path: Path) -> None:
    assert_read(dcmtk("dcmcjpls", "+en", "+md", "3", cells=cells, folder=tmp_path), cells, tolerance=3)


@pytest.mark.parametrize("process", ["+eb", "+ee"])
@pytest.mark.parametrize(
    "cells", [Cells(8, 8), Cells(8, 8, monochrome1=True), Cells(16, 12), Cells(16, 12, signed=True)]
)
def test_lossy_jpeg_is_read_as_dcmtk_reads_it(process: str, cells: Cells, tmp_path: Path) -> None:
    compressed = dcmtk("dcmcjpeg", process, cells=cells, folder=tmp_path)
    subprocess.run(["dcmdjpeg", str(tmp_path / "made.dcm"), str(tmp_path / "plain.dcm")], check=True, timeout=60)

    ours, theirs = read_radiograph(compressed), read_radiograph((tmp_path / "plain.dcm").read_bytes())
    assert ours.bits == theirs.bits
    assert np.abs(ours.pixels.astype(int) - theirs.pixels).max() <= 1


#: What goes into a JPEG 2000 codestream: samples, without the cells around them.
SAMPLES = [cells for cells in CELLS if cells.stored >= 8 and not (cells.shift or cells.overlay)]
OPENJPEG = {
    "plain": (),
    "tiles": ("-t", "32,32"),
    "precincts and small blocks": ("-c", "[32,32]", "-b", "16,16"),
    "layers and markers": ("-r", "20,5,1", "-SOP", "-EPH", "-PLT", "-TLM"),
    "tile-parts by resolution": ("-TP", "R", "-p", "RPCL"),
    "one resolution": ("-n", "1"),
    "bypass and termination": ("-M", "5"),
}


@pytest.mark.parametrize("cells", SAMPLES, ids=str)
@pytest.mark.parametrize("way", OPENJPEG)
def test_jpeg_2000(way: str, cells: Cells, tmp_path: Path) -> None:
    codestream = jpeg_2000(*OPENJPEG[way], cells=cells, folder=tmp_path)
    assert_read(with_codestream(cells, codestream, uid.JPEG2000Lossless), cells)


@pytest.mark.parametrize("said", [uid.JPEG2000Lossless, uid.JPEG2000, uid.JPEGLosslessSV1])
def test_a_jp2_file_in_place_of_its_codestream(said: str, tmp_path: Path) -> None:
    cells = Cells(16, 12)
    whole = jpeg_2000(cells=cells, folder=tmp_path, form="jp2")
    assert_read(with_codestream(cells, whole, said), cells)
    for size in (12, 40, 84, 90):
        with pytest.raises(Undecodable):
            read_radiograph(with_codestream(cells, whole[:size], uid.JPEG2000Lossless))


@pytest.mark.parametrize("said", [uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K, uid.JPEG2000Lossless])
def test_a_high_throughput_file_in_place_of_its_codestream(said: str, tmp_path: Path) -> None:
    cells = Cells(16, 12)
    codestream = htj2k("-reversible", "true", cells=cells, folder=tmp_path)
    boxes = [b"jP  \r\n\x87\n", b"ftypjph \0\0\0\0jph ", b"jp2h", b"jp2c" + codestream]
    whole = b"".join((len(box) + 4).to_bytes(4, "big") + box for box in boxes)

    data = with_codestream(cells, whole, said)
    assert_read(data, cells)
    assert read_radiograph(data).transfer_syntax == (uid.HTJ2K if said == uid.JPEG2000Lossless else said)


@pytest.mark.parametrize("cells", [cells for cells in SAMPLES if not cells.signed], ids=str)
@pytest.mark.parametrize("order", ["RPCL", "LRCP"])
def test_htj2k(order: str, cells: Cells, tmp_path: Path) -> None:
    codestream = htj2k("-reversible", "true", "-prog_order", order, cells=cells, folder=tmp_path)
    syntax = uid.HTJ2KLosslessRPCL if order == "RPCL" else uid.HTJ2KLossless
    assert_read(with_codestream(cells, codestream, syntax), cells)


@pytest.mark.parametrize("cells", [Cells(8, 8), Cells(16, 12), Cells(16, 12, signed=True), Cells(16, 16)], ids=str)
@pytest.mark.parametrize("options", [("-r", "4"), ("-I", "-r", "4")], ids=["cut short", "irreversible"])
def test_lossy_jpeg_2000_is_read_as_openjpeg_reads_it(options: tuple[str, ...], cells: Cells, tmp_path: Path) -> None:
    codestream = jpeg_2000(*options, cells=cells, folder=tmp_path)
    back = tmp_path / "back.rawl"
    subprocess.run(
        ["opj_decompress", "-i", str(tmp_path / "made.j2k"), "-o", str(back)],
        check=True,
        timeout=60,
        capture_output=True,
    )
    kind = ("i" if cells.signed else "u") + ("1" if cells.stored == 8 else "2")
    theirs = np.frombuffer(back.read_bytes(), f"<{kind}").reshape(cells.rows, cells.columns).astype(int)

    ours = read_radiograph(with_codestream(cells, codestream, uid.JPEG2000)).pixels.astype(int)
    if cells.signed:
        theirs = (theirs + 2 ** (cells.stored - 1)) % 2**cells.stored
    assert np.abs(ours - theirs).max() <= 1


@pytest.mark.parametrize("signed", [False, True])
def test_a_codestream_of_fewer_bits_than_the_header_says_is_read_as_it_is(signed: bool, tmp_path: Path) -> None:
    narrow, wide = Cells(8, 8), Cells(16, 12, signed=signed)
    codestream = jpeg_2000(cells=narrow, folder=tmp_path)

    radiograph = read_radiograph(with_codestream(wide, codestream, uid.JPEG2000Lossless))
    assert np.array_equal(radiograph.pixels, narrow.samples + (2048 if signed else 0))
