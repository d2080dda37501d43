"""What a site's own code stands for: read from the header of an instance that carries it, and kept nowhere."""

from collections.abc import Iterator

from mskmodel.dicom.header_texts import header_texts
from mskmodel.dicom.scan import scan_data_set, scan_meta
from mskmodel.evidence.claim import claims_of
from mskmodel.radiograph import HeaderTexts, Limits, NotClassifiable
from workers.pacs import OrthancClient, OrthancNotFound, TooLarge

__all__ = ["text_of"]


def text_of(code: str, orthanc: OrthancClient, instance_id: str, secret: bytes) -> str | None:
    """The text whose keyed hash the code is; None where this instance does not carry it any more.

    Raises:
        OrthancError: Orthanc does not deliver the file.
    """
    try:
        data = orthanc.file(instance_id, Limits().max_file_bytes)
        texts = header_texts(scan_data_set(data, scan_meta(data)))
    except (OrthancNotFound, TooLarge, NotClassifiable):
        return None
    for text, alone in _each_alone(texts):
        if any(code in claim.terms for claim in claims_of(alone, secret).claims):
            return "".join(letter if letter.isprintable() else " " for letter in text)
    return None


def _each_alone(texts: HeaderTexts) -> Iterator[tuple[str, HeaderTexts]]:
    """Each text in which a site writes codes, and a header that says nothing else."""
    yield texts.body_part, HeaderTexts(body_part=texts.body_part)
    yield texts.view_position, HeaderTexts(view_position=texts.view_position)
    yield texts.series_description, HeaderTexts(series_description=texts.series_description)
    for text in texts.protocols:
        yield text, HeaderTexts(protocols=(text,))
