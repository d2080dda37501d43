"""Studies for the viewer: drawn radiographs that say on themselves what they show, with headers that need not."""

from dataclasses import dataclass
from functools import cache, cached_property
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from pydicom import Dataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import SecondaryCaptureImageStorage, generate_uid

from mskmodel.dicom.writing import CR, Header, radiograph_dataset
from tests.browser.reading_room import NUMBER, PATIENT, ReadingRoom

__all__ = ["VIEWED", "Film"]

#: What the screen shows of the viewports, top left to bottom right, once each has drawn its picture; null before.
VIEWED = """() => {
  const { viewportGridService, cornerstoneViewportService, hangingProtocolService } = window.services ?? {};
  const wanted = hangingProtocolService?.getActiveProtocol().stage?.viewports;
  const viewports = wanted ? [...viewportGridService.getState().viewports.values()] : [];
  if (!wanted || viewports.length !== wanted.length) return null;
  const shown = viewports.sort((a, b) => a.y - b.y || a.x - b.x).map(({ viewportId, displaySetInstanceUIDs }) => {
    if (!displaySetInstanceUIDs?.length) return "";
    const viewport = cornerstoneViewportService.getCornerstoneViewport(viewportId);
    const image = viewport?.getCurrentImageId?.();
    return viewport?.viewportStatus === "rendered" && image ? image.match(/instances\\/([0-9.]+)/)[1] : null;
  });
  return shown.includes(null) || !shown.some(Boolean) ? null : shown;
}"""


@dataclass(frozen=True)
class Film:
    """A radiograph whose pixels say these words and its year, and whose header says what is given, or nothing."""

    words: str
    label: str
    side: str = "R"
    study: str = "now"
    series: str = "1"
    year: int = 2026
    body_part: str = ""
    view_position: str = ""
    is_digitised: bool = False
    """A Secondary Capture of a film (Modality RG), not a CR."""

    @cached_property
    def dataset(self) -> Dataset:
        header = Header(
            identity=f"{self.study} {self.words}",
            study=self.study,
            body_part=self.body_part,
            view_position=self.view_position,
            patient_id=NUMBER,
            patient_name=PATIENT,
            date=f"{self.year}1101",
        )
        ds = radiograph_dataset(_drawn(f"{self.words}\n{self.year}"), header=header, bits=12, sop_class=CR)
        ds.SeriesInstanceUID = generate_uid(entropy_srcs=[self.study, self.series])
        if self.is_digitised:
            ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
            ds.Modality = "RG"
        return ds

    def store(self, room: ReadingRoom) -> str:
        """Store and label it as a label worker would; its instance in Orthanc."""
        buffer = BytesIO()
        dcmwrite(buffer, self.dataset, enforce_file_format=True)
        instance = room.server.upload(buffer.getvalue())
        room.label(instance, self.label, 0.9, claims={"claims": [], "side": self.side, "group": "0" * 12})
        return instance


@cache
def _drawn(words: str) -> NDArray[np.uint16]:
    image = Image.new("L", (500, 600), 40)
    draw = ImageDraw.Draw(image)
    draw.ellipse((150, 200, 350, 500), fill=160)
    draw.text((40, 40), words, fill=255, font=ImageFont.load_default(60))
    return np.asarray(image).astype(np.uint16) << 4
