"""Files that several commands are given."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Three pictures with labels, one of them broken."""
    y, x = np.mgrid[0:300, 0:240]
    for name, values in (("a.png", x), ("b.jpg", y)):
        Image.fromarray((values % 200).astype(np.uint8)).save(tmp_path / name)
    (tmp_path / "c.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    (tmp_path / "labels.csv").write_text("file,label\na.png,knee_ap\nb.jpg,none\nc.png,foot_ap\n")
    return tmp_path
