"""What a JPEG 2000 codestream will make its decoder allocate (ISO/IEC 15444-1 annex A).

That is more than the image: decoders also keep a structure for every tile, precinct, code block and layer. A few
bytes of header can ask for gigabytes of those, or for sizes that crash OpenJPH.
"""

from __future__ import annotations

from typing import Final

from mskmodel.dicom.codestream import BadCodestreamError, FrameHeader, check_ends, unpack

__all__ = ["JP2_FILE", "jpeg_2000_codestream", "jpeg_2000_header"]

#: The first box of a JP2 file (ISO/IEC 15444-1 annex I), which some writers put where its codestream belongs.
JP2_FILE: Final = b"\0\0\0\x0cjP  \r\n\x87\n"
#: Boxes before the codestream; there are a handful.
_MAX_BOXES: Final = 100

_COD: Final = 0xFF52
_COC: Final = 0xFF53
_SOT: Final = 0xFF90
_SOD: Final = 0xFF93
_EOC: Final = 0xFFD9

_CODESTREAM_BOX: Final = int.from_bytes(b"jp2c", "big")

#: 100 megapixels in tiles of 256 x 256 are 1,526.
_MAX_TILES: Final = 2048
#: A tile may come in several parts, as many as it has resolutions and layers.
_MAX_TILE_PARTS: Final = 65_536
#: Precincts of 32 x 32 in 100 megapixels are 130,000 over all resolutions.
_MAX_PRECINCTS: Final = 200_000
#: Layers x precincts x resolutions: for each, decoders keep two bytes.
_MAX_PACKETS: Final = 32_000_000
#: Code blocks are 64 x 64 or 32 x 32 in practice; 16 x 16 are the smallest accepted.
_MIN_BLOCK_EXPONENTS: Final = 8


def jpeg_2000_codestream(frame: bytes | memoryview) -> bytes | memoryview:
    """Return the codestream in a frame: all of it, or what lies in a JP2 file. Raises :class:`BadCodestreamError`."""
    if bytes(frame[: len(JP2_FILE)]) != JP2_FILE:
        return frame
    view, position = memoryview(frame), 0
    for _ in range(_MAX_BOXES):
        length, kind = unpack(">II", view, position)
        if kind == _CODESTREAM_BOX:
            return view[position + 8 : position + length if length else len(view)]
        if length < 8:
            break
        position += length
    raise BadCodestreamError("is a file without a codestream")


def jpeg_2000_header(frame: bytes | memoryview) -> FrameHeader:
    """Read the image size of a JPEG 2000 or HTJ2K codestream, and refuse one that needs too much memory to decode.

    Raises :class:`BadCodestreamError` where the codestream is cut short, or asks for more structures than any
    encoder of radiographs makes.
    """
    view = memoryview(frame)
    check_ends(view, b"\xff\x4f\xff\x51")
    x1, y1, x0, y0, tile_x, tile_y, tile_x0, tile_y0, components = unpack(">8IH", view, 8)
    depth, step_x, step_y = unpack(">3B", view, 42)
    if not (tile_x0 <= x0 < x1 and tile_y0 <= y0 < y1 and tile_x and tile_y) or (step_x, step_y) != (1, 1):
        raise BadCodestreamError("has a frame header that makes no sense")
    if -(-(x1 - tile_x0) // tile_x) * -(-(y1 - tile_y0) // tile_y) > _MAX_TILES:
        raise BadCodestreamError("is cut into more tiles than any encoder makes")
    header = FrameHeader(y1 - y0, x1 - x0, components, (depth & 0x7F) + 1, signed=bool(depth & 0x80))
    _check_tile_parts(view, _check_main_header(view, header))
    return header


def _check_main_header(view: memoryview, header: FrameHeader) -> int:
    """Check the main header; return where the first tile-part begins."""
    position, styles = 2, 0
    while (marker := unpack(">H", view, position)[0]) != _SOT:
        (length,) = unpack(">H", view, position + 2)
        if marker == _COD:
            styles += 1
            _check_coding_style(view[position + 4 : position + 2 + length], header)
        if marker == _COC or marker < 0xFF50 or length < 2:
            raise BadCodestreamError("has a header that no encoder of radiographs writes")
        position += 2 + length
    if styles != 1:
        raise BadCodestreamError("does not say how it is coded")
    return position


def _check_coding_style(segment: memoryview, header: FrameHeader) -> None:
    style, _progression, layers, _transform, levels, block_x, block_y = unpack(">BBHBBBB", segment, 0)
    # Exponents are stored minus 2 (table A.18).
    if levels > 32 or block_x + block_y + 4 < _MIN_BLOCK_EXPONENTS or max(block_x, block_y) > 8:
        raise BadCodestreamError("is coded in a way that no encoder of radiographs uses")
    sizes = unpack(f">{levels + 1}B", segment, 10) if style & 1 else (0xFF,) * (levels + 1)
    precincts = 0
    for level, size in zip(range(levels, -1, -1), sizes, strict=True):
        exponent_x, exponent_y = size & 15, size >> 4
        if level < levels and not (exponent_x and exponent_y):
            raise BadCodestreamError("has precincts of no size")
        precincts += -(-header.columns // 2 ** (level + exponent_x)) * -(-header.rows // 2 ** (level + exponent_y))
    if precincts > _MAX_PRECINCTS or (layers + 1) * precincts * (levels + 1) > _MAX_PACKETS:
        raise BadCodestreamError("is cut into more pieces than any encoder makes")


def _check_tile_parts(view: memoryview, position: int) -> None:
    """Check the tile-parts: none may change the coding style of the main header."""
    for _ in range(_MAX_TILE_PARTS):
        if unpack(">H", view, position)[0] == _EOC:
            return
        marker, _length, _tile, size = unpack(">HHHI", view, position)
        if marker != _SOT:
            raise BadCodestreamError("has no tile-part where one must be")
        inside = position + 12
        while (marker := unpack(">H", view, inside)[0]) != _SOD:
            (length,) = unpack(">H", view, inside + 2)
            if marker in (_COD, _COC) or marker < 0xFF50 or length < 2:
                raise BadCodestreamError("changes between tiles how it is coded")
            inside += 2 + length
        if size == 0:  # the last one: up to the end
            return
        if size < inside + 2 - position:
            raise BadCodestreamError("has a tile-part that ends before it begins")
        position += size
    raise BadCodestreamError("is cut into more pieces than any encoder makes")
