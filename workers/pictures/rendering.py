"""A picture for people from the bytes of a DICOM file, of the grey values that the network sees too."""

from io import BytesIO

from PIL import Image

from mskmodel.dicom.radiograph_kinds import RadiographKinds
from mskmodel.dicom.reading import read_radiograph
from mskmodel.network.framing import whole

__all__ = ["rendered"]

#: Of WebP, 0..100: what it loses is below what 8 bits lose.
QUALITY = 92
#: Of WebP, 0..6: a higher one takes several times as long, for files that are a tenth smaller.
EFFORT = 1


def rendered(data: bytes, longest: int, kinds: RadiographKinds, transfer_syntax: str = "") -> bytes:
    """The whole radiograph as grey WebP, ``longest`` pixels along its longest side or fewer.

    ``transfer_syntax``: what Orthanc knows, for a file that does not say it itself.

    Raises:
        NotClassifiable: there is no picture, or it cannot be decoded.
    """
    values = whole(read_radiograph(data, transfer_syntax=transfer_syntax, kinds=kinds), longest)
    written = BytesIO()
    Image.fromarray(values).save(written, "WEBP", quality=QUALITY, method=EFFORT)
    return written.getvalue()
