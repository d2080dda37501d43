"""CR and DX objects written from pixels."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread, uid

from mskmodel.dicom.encoding import WRITABLE
from mskmodel.dicom.reading import read_radiograph
from mskmodel.dicom.writing import CR, DX_PRESENTATION, DX_PROCESSING, Header, write_dx
from mskmodel.labels import BY_KEY, LABELS
from mskmodel.phantoms import NAMES, Phantom
from mskmodel.phantoms.claims import HeaderClaim, named
from mskmodel.phantoms.making import write
from mskmodel.phantoms.views import VIEWS
from tests.dicom_files import as_stored, bits_for, gradient

needs_dciodvfy = pytest.mark.skipif(
    shutil.which("dciodvfy") is None, reason="dciodvfy is not installed: apt-get install dicom3tools"
)

#: What Debian's dciodvfy cannot parse.
_UNKNOWN_TO_IT = {uid.DeflatedExplicitVRLittleEndian, uid.HTJ2K, uid.HTJ2KLossless}


def _errors(data: bytes, folder: Path) -> list[str]:
    file = folder / "instance.dcm"
    file.write_bytes(data)
    return _errors_in(file)


def _errors_in(file: Path) -> list[str]:
    judged = subprocess.run(["dciodvfy", str(file)], capture_output=True, text=True, timeout=60)
    return [line for line in (judged.stdout + judged.stderr).splitlines() if "Error" in line]


@needs_dciodvfy
@pytest.mark.parametrize("transfer_syntax", sorted(WRITABLE - _UNKNOWN_TO_IT), ids=lambda syntax: uid.UID(syntax).name)
def test_every_transfer_syntax_gives_a_valid_object(transfer_syntax: str, tmp_path: Path) -> None:
    bits = bits_for(transfer_syntax)
    header = Header(identity="valid", label=BY_KEY["knee_ap"], laterality="L")

    assert _errors(write_dx(as_stored(bits), header=header, bits=bits, transfer_syntax=transfer_syntax), tmp_path) == []


@needs_dciodvfy
@pytest.mark.parametrize("sop_class", [CR, DX_PRESENTATION, DX_PROCESSING], ids=lambda sop_class: sop_class.name)
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_every_class_and_label_gives_a_valid_object(sop_class: str, photometric: str, tmp_path: Path) -> None:
    for label, bits in zip((None, *LABELS), itertools.cycle((8, 10, 16)), strict=False):
        laterality = "U" if label is BY_KEY["pelvis_ap"] else "R" if label else ""
        header = Header(identity="valid", label=label, laterality=laterality)
        data = write_dx(as_stored(bits), header=header, bits=bits, photometric=photometric, sop_class=sop_class)
        assert _errors(data, tmp_path) == []


@needs_dciodvfy
@pytest.mark.parametrize(("seed", "modality"), [(11, "CR"), (1, "DX")])
def test_a_phantom_is_a_valid_object_whatever_it_claims(seed: int, modality: str, tmp_path: Path) -> None:
    pixels = np.arange(64, dtype=np.uint16).reshape(8, 8)
    taken = {(named(name)[0], view.position or named(name)[1]) for name in NAMES for view in VIEWS[name]}
    wholly = {*taken, ("", "")}
    claims = {(*said, side) for said in wholly for side in ("R", "L", "B", "U", "")}
    claims |= {claim for part, view in wholly for claim in ((part, "", "R"), ("", view, "R"))}
    files: dict[bytes, Path] = {}
    for part, view, side in sorted(claims):
        said = HeaderClaim(part, view, side, correct=False)
        phantom = Phantom(pixels, 8, "MONOCHROME2", "", "any", "AP", "R", 0.2, seed, said)
        file = tmp_path / f"{part}-{view}-{side}.dcm"
        write(phantom, file)
        files.setdefault(file.read_bytes(), file)  # Claims with the same file are validated once.
    assert {dcmread(BytesIO(data)).Modality for data in files} == {modality}

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        judged = dict(zip((file.stem for file in files.values()), pool.map(_errors_in, files.values()), strict=True))

    assert {claim: errors for claim, errors in judged.items() if errors} == {}


def test_the_same_input_gives_the_same_bytes_and_another_identity_other_uids() -> None:
    one, again, other = (
        write_dx(gradient(12), header=Header(identity=identity), bits=12) for identity in ("a", "a", "b")
    )

    assert one == again
    first, second = dcmread(BytesIO(one)), dcmread(BytesIO(other))
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"):
        assert first[keyword].value != second[keyword].value
        assert first[keyword].value.is_valid


def test_instances_of_one_study_share_its_uid() -> None:
    headers = (Header(identity="a", study="s"), Header(identity="b", study="s"))
    first, second = (dcmread(BytesIO(write_dx(gradient(12), header=header, bits=12))) for header in headers)

    assert first.StudyInstanceUID == second.StudyInstanceUID
    assert first.SeriesInstanceUID == second.SeriesInstanceUID
    assert first.SOPInstanceUID != second.SOPInstanceUID


def test_a_label_fills_the_coded_anatomy_and_view() -> None:
    header = Header(identity="coded", label=BY_KEY["shoulder_axillary"], laterality="L")
    ds = dcmread(BytesIO(write_dx(gradient(12), header=header, bits=12)))

    assert ds.AnatomicRegionSequence[0].CodeValue == BY_KEY["shoulder_axillary"].anatomy.value
    assert ds.ViewCodeSequence[0].CodeValue == BY_KEY["shoulder_axillary"].view_code.value
    assert (ds.BodyPartExamined, ds.ViewPosition, ds.ImageLaterality) == ("SHOULDER", "AXIAL", "L")


def test_coded_anatomy_and_view_follow_the_claim_and_are_empty_without_one() -> None:
    said, silent = (
        dcmread(BytesIO(write_dx(gradient(12), header=header, bits=12)))
        for header in (
            Header(identity="said", label=BY_KEY["knee_ap"], body_part="CHEST", view_position="PA"),
            Header(identity="silent", label=BY_KEY["knee_ap"], body_part="", view_position=""),
        )
    )

    assert said.AnatomicRegionSequence[0].CodeMeaning == "Chest"
    assert said.ViewCodeSequence[0].CodeMeaning == "postero-anterior"
    assert not silent.AnatomicRegionSequence
    assert "ViewCodeSequence" not in silent


def test_header_values_can_be_left_empty_or_be_wrong_as_in_a_hospital() -> None:
    header = Header(identity="wrong", label=BY_KEY["knee_ap"], body_part="CHEST", view_position="")
    radiograph = read_radiograph(write_dx(gradient(12), header=header, bits=12, sop_class=CR))

    assert (radiograph.body_part, radiograph.view_position) == ("CHEST", "")


@pytest.mark.parametrize("transfer_syntax", sorted(WRITABLE), ids=lambda syntax: uid.UID(syntax).name)
def test_pixels_may_be_a_view_of_a_larger_array(transfer_syntax: str) -> None:
    bits = bits_for(transfer_syntax)
    large = as_stored(bits)
    header = Header(identity="view")

    strided, packed = (
        write_dx(pixels, header=header, bits=bits, transfer_syntax=transfer_syntax)
        for pixels in (large[::2, 3:70:3], np.ascontiguousarray(large[::2, 3:70:3]))
    )

    assert strided == packed


@pytest.mark.parametrize(
    ("pixels", "bits", "options", "message"),
    [
        (gradient(12).astype(np.int32), 12, {}, "uint8 or uint16"),
        (gradient(12)[None], 12, {}, "must be"),
        (gradient(12), 10, {}, "do not fit 10 bits"),
        (gradient(8).astype(np.uint8), 9, {}, "do not fit uint8"),
        (gradient(12), 12, {"photometric": "RGB"}, "not MONOCHROME1 or MONOCHROME2"),
        (gradient(12), 12, {"transfer_syntax": uid.JPEGBaseline8Bit}, "cannot hold 12 bits"),
        (gradient(16), 16, {"transfer_syntax": uid.JPEGExtended12Bit}, "cannot hold 16 bits"),
        (gradient(12), 12, {"transfer_syntax": uid.MPEG2MPML}, "cannot write transfer syntax"),
    ],
)
def test_what_cannot_be_written_is_refused(
    pixels: np.ndarray, bits: int, options: dict[str, str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        write_dx(pixels, header=Header(identity="refused"), bits=bits, **options)
