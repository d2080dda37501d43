"""OHIF's `app-config.js`: what the script of that name beside this file needs to know, and the script itself."""

import json
from pathlib import Path

from workers.viewer.hanging_protocols import (
    MOST_COLUMNS,
    MOST_COLUMNS_COMPARED,
    MOST_ROWS,
    MOST_ROWS_COMPARED,
    hanging_protocols,
    picture_table,
    side_codes,
)

__all__ = ["app_config"]

SCRIPT = Path(__file__).with_name("app-config.js")


def app_config(base: str, dicom_web: str) -> str:
    """The file's text.

    Args:
        base: the path below which OHIF is served, such as `/ohif/`.
        dicom_web: address of the DICOMweb service, a path where the same server has it.

    Raises TableError, for a site's own table of labels that cannot be read.
    """
    data = {
        "base": base,
        "dicomWeb": dicom_web.rstrip("/"),
        "pictures": picture_table(),
        "sides": side_codes(),
        "protocols": hanging_protocols(),
        "most": [MOST_ROWS, MOST_COLUMNS],
        "mostCompared": [MOST_ROWS_COMPARED, MOST_COLUMNS_COMPARED],
    }
    return f"const MSK = {json.dumps(data, ensure_ascii=True)};\n{SCRIPT.read_text(encoding='utf-8')}"
