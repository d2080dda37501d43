"""Damaged files of every kind, each read in a process of its own.

    python -m tests.fuzz_reading [--files N] [--seed S] [--keep FOLDER]

Good and hostile files of every transfer syntax, grey and in three channels, with tables, shutters, padding and spacings
in their headers, and loose pictures, are damaged at random, read, and framed. Prints what came of them. Exit status 1
where a process died, took more than 2 seconds of a processor or 1.5 GB of memory, raised anything but `Skipped` and
`Undecodable`, or read something that is no radiograph. The same seed gives the same files; ``--keep`` writes those that
went wrong.
"""

from __future__ import annotations

import argparse
import faulthandler
import math
import os
import random
import resource
import signal
import struct
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset

from mskmodel.dicom.encoding import WRITABLE
from mskmodel.dicom.reading import read_image
from mskmodel.network.framing import STORED, framed
from mskmodel.radiograph import Radiograph, Skipped, Undecodable
from tests.dicom_files import bits_for, edited, gradient, hostile_files, other_files, valid_files
from tests.odd_files import odd_files

PLAIN: Final = "1.2.840.10008.1.2.1"
SECONDS: Final = 2
#: Above what the process has before it reads.
MEMORY: Final = 1_500_000_000
#: Seconds on the clock after which a process that does nothing is ended.
PATIENCE: Final = 60

READ, SKIPPED, UNDECODABLE, UNEXPECTED, EXCESS = 0, 10, 11, 12, 13
OUTCOMES: Final = {
    READ: "read",
    SKIPPED: "skipped",
    UNDECODABLE: "undecodable",
    UNEXPECTED: "UNEXPECTED EXCEPTION OR RESULT",
    EXCESS: "TOO MUCH MEMORY",
}
TOO_LONG: Final = "TOO LONG"
#: Numbers that readers trip over, as texts of a header.
NUMBERS: Final = ("0", "1", "-1", "2", "40", "96", "1e400", "nan", "-inf", "0.000001", "2147483648", "", "x", "1e308")
#: Tags around which a file is damaged on purpose, little endian: what says how pixels are read and shown.
TAGS: Final = tuple(
    struct.pack("<HH", tag >> 16, tag & 0xFFFF)
    for tag in (
        *(0x00280002, 0x00280004, 0x00280008, 0x00280010, 0x00280011, 0x00280030, 0x00280034, 0x00280100, 0x00280101),
        *(0x00280102, 0x00280103, 0x00280120, 0x00280121, 0x00281052, 0x00281053, 0x00283000, 0x00283002, 0x00283006),
        *(0x00283010, 0x00181600, 0x00181602, 0x00181620, 0x00181700, 0x20500020, 0x7FE00010, 0xFFFEE000, 0xFFFEE00D),
        0xFFFEE0DD,
    )
)


def texts(rng: random.Random, count: int) -> list[str]:
    """Numbers as texts, mostly plausible."""
    return [str(rng.randint(1, 90)) if rng.random() < 0.7 else rng.choice(NUMBERS) for _ in range(count)]


def table(rng: random.Random) -> Dataset:
    """An item with a lookup table, mostly a good one."""
    item = Dataset()
    count = rng.choice((1, 2, 255, 256, 1000, 4096))
    said = count if rng.random() < 0.8 else rng.choice((0, 1, 65535, count + 1))
    item.add_new("LUTDescriptor", "US", [said, rng.choice((0, 0, 0, 300, 40000, 65535)), rng.choice((8, 12, 16, 99))])
    entries = np.round(np.linspace(0, 1, count) ** rng.uniform(0.2, 3) * rng.choice((255, 4095, 65535)))
    if rng.random() < 0.2:
        entries = entries[::-1]
    data = entries.astype(rng.choice(("<u2", ">u2", "u1"))).tobytes()
    item.add_new("LUTData", "OW", data + bytes(len(data) % 2))
    return item


def decorate(ds: Dataset, rng: random.Random) -> None:
    """Give a data set everything that decides how its pixels are shown."""
    ds.PhotometricInterpretation = rng.choice(("MONOCHROME1", "MONOCHROME2"))
    ds.PresentationLUTShape = rng.choice(("IDENTITY", "INVERSE", "LIN OD"))
    for keyword in ("RescaleSlope", "RescaleIntercept"):
        ds.add_new(keyword, "LO", texts(rng, 1))
    for keyword in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "PixelAspectRatio"):
        if rng.random() < 0.5:
            ds.add_new(keyword, "LO", texts(rng, 2))
    for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit"):
        if rng.random() < 0.6:
            ds.add_new(keyword, "US", rng.choice((0, 1, 255, 600, 4095, 65535, rng.randrange(65536))))
    for module in ("Shutter", "Collimator"):
        ds.add_new(f"{module}Shape", "LO", rng.sample(("RECTANGULAR", "CIRCULAR", "POLYGONAL"), rng.randint(1, 3)))
        for edge in ("LeftVertical", "RightVertical", "UpperHorizontal", "LowerHorizontal"):
            ds.add_new(f"{module}{edge}Edge", "LO", texts(rng, 1))
        ds.add_new(f"CenterOfCircular{module}", "LO", texts(rng, 2))
        ds.add_new(f"RadiusOfCircular{module}", "LO", texts(rng, 1))
        ds.add_new(f"VerticesOfThePolygonal{module}", "LO", texts(rng, 2 * rng.randint(1, 40)))
    for keyword in ("ModalityLUTSequence", "VOILUTSequence"):
        if rng.random() < 0.6:
            setattr(ds, keyword, [table(rng) for _ in range(rng.randint(0, 2))])
            ds[keyword].is_undefined_length = rng.random() < 0.5
            for item in ds[keyword].value:
                item.is_undefined_length_sequence_item = rng.random() < 0.5


def decorated(rng: random.Random) -> bytes:
    if rng.random() < 0.15:
        return edited("fuzz", lambda ds: (decorate(ds, rng), in_three_channels(ds, rng)), transfer_syntax=PLAIN)
    syntax = rng.choice(sorted(WRITABLE))
    return edited("fuzz", lambda ds: decorate(ds, rng), transfer_syntax=syntax, bits=bits_for(syntax))


def in_three_channels(ds: Dataset, rng: random.Random) -> None:
    """Grey as three equal channels, one beside the other or in planes."""
    ds.SamplesPerPixel, ds.PlanarConfiguration = 3, rng.choice((0, 1))
    ds.PhotometricInterpretation = rng.choice(("RGB", "YBR_FULL", "YBR_FULL_422"))
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 8, 8, 7
    ds.PixelData = np.repeat(gradient(8).astype(np.uint8)[..., None], 3, 2).tobytes()


@cache
def files() -> tuple[bytes, ...]:
    """Files to damage; bombs are left out for their size."""
    dicom = [file.data for file in (*valid_files(), *odd_files(), *other_files(), *hostile_files())]
    return (*(data for data in dicom if 0 < len(data) < 200_000), *pictures())


def pictures() -> list[bytes]:
    """Loose pictures of every format that Pillow writes of grey, 8 and 16 bits."""
    found = []
    for mode in (np.uint8, np.uint16):
        image = Image.fromarray((gradient(16) >> (8 if mode is np.uint8 else 0)).astype(mode))
        for kind in ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP", "JPEG2000", "PPM", "TGA", "AVIF", "PCX", "SGI"):
            buffer = BytesIO()
            try:
                image.save(buffer, kind)
            except (OSError, ValueError):
                continue
            found.append(buffer.getvalue())
    return found


def flip(data: bytearray, rng: random.Random, end: int) -> None:
    for _ in range(rng.randint(1, 20)):
        data[rng.randrange(end)] = rng.randrange(256)


def flip_somewhere(data: bytearray, rng: random.Random) -> None:
    flip(data, rng, len(data))


def flip_in_the_header(data: bytearray, rng: random.Random) -> None:
    flip(data, rng, min(len(data), 3000))


def lie(data: bytearray, rng: random.Random) -> None:
    """Lengths and numbers at their ends."""
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data))
        number = rng.choice((0, 1, 7, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF))
        width = 2 if number <= 0xFFFF and rng.random() < 0.5 else 4
        data[at : at + width] = number.to_bytes(width, rng.choice(("little", "big")))


def aim(data: bytearray, rng: random.Random) -> None:
    """Damage what stands behind a tag that matters."""
    found = [at for tag in TAGS for at in (data.find(tag), data.rfind(tag)) if at >= 0]
    if not found:
        return flip_somewhere(data, rng)
    for _ in range(rng.randint(1, 3)):
        at = rng.choice(found) + rng.randint(0, 16)
        if at < len(data):
            data[at] = rng.choice((0, 1, 0x2D, 0x39, 0x7F, 0x80, 0xFE, 0xFF, rng.randrange(256)))
    return None


def cut(data: bytearray, rng: random.Random) -> None:
    del data[rng.randrange(len(data)) :]


def drop(data: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(data))
    del data[at : at + rng.choice((1, 2, 4, 8, 100))]


def repeat(data: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(data))
    data[at:at] = data[at : at + rng.choice((2, 8, 64, 1000))] * rng.choice((1, 2, 50))


def nest(data: bytearray, rng: random.Random) -> None:
    """Open sequences and items that may never end."""
    places = [at for at in (data.find(TAGS[0]), data.find(b"\x28\0\x10\x30"), data.find(b"\x28\0\x00\x30")) if at > 0]
    at = rng.choice(places) if places else rng.randrange(len(data))
    opening = rng.choice((b"\x28\0\x10\x30SQ\0\0", b"\x28\0\x00\x30UN\0\0", b"\x28\0\x10\x30"))
    length = rng.choice((b"\xff\xff\xff\xff", b"\x10\0\0\0", b"\xff\xff\xff\x7f"))
    item = rng.choice((b"\xfe\xff\0\xe0", b"\xfe\xff\x0d\xe0", b"\xff\xfe\xe0\0", b""))
    data[at:at] = (opening + length + item + (length if item else b"")) * rng.choice((1, 3, 2000))


def splice(data: bytearray, rng: random.Random) -> None:
    other = rng.choice(files())
    data[rng.randrange(len(data)) :] = other[rng.randrange(len(other)) :]


WAYS: Final[tuple[Callable[[bytearray, random.Random], None], ...]] = (
    *(flip_somewhere, flip_in_the_header, lie, aim, aim, aim, cut, drop, repeat, nest, splice),
)


def damaged(number: int, seed: int) -> bytes:
    """The file of this number; one in ten of those with decorated headers is left as it is."""
    rng = random.Random(f"{seed} {number}")
    has_header = rng.random() < 0.6
    data = bytearray(decorated(rng) if has_header else rng.choice(files()))
    if has_header and rng.random() < 0.1:
        return bytes(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        if data:
            rng.choice(WAYS)(data, rng)
    return bytes(data)


def memory(what: str) -> int:
    """Bytes of address space, by its name in ``/proc/self/status``."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith(what))


def check(radiograph: Radiograph) -> None:
    """Assert what is promised of every radiograph."""
    pixels = radiograph.pixels
    assert pixels.dtype == np.uint16 and pixels.ndim == 2 and pixels.size and pixels.flags.writeable
    assert 1 <= radiograph.bits <= 16
    assert math.isfinite(radiograph.aspect) and 1 / 8 <= radiograph.aspect <= 8
    for outline in radiograph.outlines:
        assert outline.dtype == np.float32 and outline.ndim == 2 and outline.shape[1] == 2
        assert np.isfinite(outline).all() and outline.min() >= 0 and outline.max() <= 1
    assert len(radiograph.note) < 300 and all(character.isprintable() for character in radiograph.note)
    picture = framed(radiograph, window=(0.5, 99.5), field=True)
    assert picture.values.shape == (STORED, STORED) and STORED in (picture.rows, picture.columns)


def read(path: Path) -> int:
    warnings.simplefilter("error", RuntimeWarning)
    try:
        check(read_image(path))
    except Skipped:
        return SKIPPED
    except Undecodable:
        return UNDECODABLE
    except BaseException:  # noqa: BLE001 - whatever it is, it is what is looked for
        traceback.print_exc()
        return UNEXPECTED
    return READ


def read_in_a_process(path: Path) -> str:
    """What comes of reading this file, in words."""
    child = os.fork()
    if not child:
        before = memory("VmSize")
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (before + 2 * MEMORY, resource.RLIM_INFINITY))
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
        # Where it was when its time was up goes to stderr.
        faulthandler.register(signal.SIGXCPU, chain=True)
        signal.alarm(PATIENCE)
        found = read(path)
        os._exit(EXCESS if memory("VmPeak") - before > MEMORY else found)
    _, status, _ = os.wait4(child, 0)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return TOO_LONG if number in (signal.SIGXCPU, signal.SIGALRM) else f"DIED: {signal.Signals(number).name}"
    return OUTCOMES.get(os.waitstatus_to_exitcode(status), "DIED")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for files that went wrong")
    arguments = parser.parse_args()
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        for number in range(arguments.files):
            path.write_bytes(damaged(number, arguments.seed))
            outcome = read_in_a_process(path)
            if outcome == TOO_LONG:
                # A virtual machine may stop for seconds; a file that takes long does so again.
                outcome = read_in_a_process(path)
            counts[outcome] += 1
            if outcome != outcome.lower():
                print(f"file {number} of seed {arguments.seed}: {outcome}", flush=True)
                if arguments.keep:
                    arguments.keep.mkdir(parents=True, exist_ok=True)
                    (arguments.keep / f"{arguments.seed}-{number}").write_bytes(path.read_bytes())
            if (number + 1) % 500 == 0:
                print(f"{number + 1:,} of {arguments.files:,}: {summary(counts)}", flush=True)
    print(summary(counts))
    return int(any(outcome != outcome.lower() for outcome in counts))


def summary(counts: Counter[str]) -> str:
    return ", ".join(f"{count:,} {outcome}" for outcome, count in counts.most_common())


if __name__ == "__main__":
    sys.exit(main())
