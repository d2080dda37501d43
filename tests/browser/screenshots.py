"""Screenshots of the reading room, for the README: python -m tests.browser.screenshots FOLDER [PICTURE...]

They are of a local stack with phantoms and exemplars, on which a job learns from what somebody said. The pictures are
one study, by default an ankle among the exemplars. Those that can be seen need no attribution.
"""

import csv
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import expect, sync_playwright

from mskmodel.data.exemplars import FOLDER, TABLE, select
from mskmodel.dicom.reading import read_image
from mskmodel.dicom.writing import Header, write_dx
from mskmodel.labels import KEYS
from mskmodel.phantoms.making import TRUTH, make
from mskmodel.registry import Registry, read_manifest
from tests.access_site import AccessSite
from tests.browser.visitor import CHROMIUM, Visitor, visitor
from tests.local_stack import LocalStack
from tests.waiting import until
from workers.access.role import Role
from workers.metadata.outcome import PREDICTION

PHANTOMS = 3 * len(KEYS)
STUDY = [FOLDER / f"wikimedia-normal-ankle-{view}.jpg" for view in ("ap", "mortise", "lateral")]
JOB = ("--epochs", "6", "--views", "120", "--rehearsal", "0", "--minimum", "1", "--approve", "--author", "anna")
#: Seconds for all labels, and until the job has something to show.
PATIENCE = 1800
#: Of a screenshot: pixels for each of the page's, and its colours, of which a radiograph has few.
SCALE, COLOURS = 0.8, 64


def main(folder: Path, study: Sequence[Path]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="msk-screenshots-") as scratch:
        make(Path(scratch, "phantoms"), PHANTOMS, 7, names=KEYS)
        with LocalStack.running(Path(scratch)) as stack:
            job, hung = fill(stack, Path(scratch), study)
            with anna_at(stack) as anna:
                take(anna, folder, job, hung)


def fill(stack: LocalStack, scratch: Path, study: Sequence[Path]) -> tuple[str, str]:
    """Store everything; the job that learns, and Orthanc's identifier of the study."""
    with (FOLDER / TABLE).open(newline="") as file:
        exemplars = list(csv.DictReader(file))
    with (scratch / "phantoms" / TRUTH).open(newline="") as file:
        shown = [(scratch / "phantoms" / row["file"], row["label"]) for row in csv.DictReader(file)]
    served = read_manifest(Registry(Path(stack.environment["MSK_MODELS"])).promoted())["classes"]
    further = [row for row in exemplars if row["label"] in served and row["label"] not in KEYS]  # no phantoms of these
    shown += [(FOLDER / row["file"], row["label"]) for row in select(further, 4)]
    said = scratch / "said.csv"
    with said.open("w", newline="") as file:
        csv.writer(file).writerows([("instance", "label"), *((store(stack, each), label) for each, label in shown)])
    stack.msk("truth", "import", str(said), "--author", "anna")
    job = stack.msk("jobs", "submit", *JOB).stdout.strip()
    known = {file for file, _ in shown} | set(study)
    free = [FOLDER / row["file"] for row in exemplars if row["licence"].startswith(("CC0", "Public domain"))]
    for picture in free:
        if picture not in known:
            store(stack, picture)
    hung = [store(stack, picture, study="ankle") for picture in study]
    until(lambda: all(PREDICTION in each for each in stack.orthanc.metadata_of(hung).values()), PATIENCE)
    return job, stack.orthanc.study_of(hung[0])


def store(stack: LocalStack, file: Path, study: str | None = None) -> str:
    """Store a DICOM file or a picture; its instance."""
    if file.suffix == ".dcm":
        return stack.orthanc.upload(file.read_bytes())
    image = read_image(file)
    header = Header(identity=file.name, study=study, date="20260302")
    return stack.orthanc.upload(write_dx(image.pixels, header=header, bits=image.bits))


@contextmanager
def anna_at(stack: LocalStack) -> Iterator[Visitor]:
    """An administrator, who has signed in."""
    AccessSite("", stack.environment["MSK_RECORDS"]).add("anna", Role.ADMIN)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, timeout=120_000)
        anna = visitor(browser, stack.state["gateway"]["url"], color_scheme="dark", device_scale_factor=SCALE)
        anna.sign_in("anna", "/arrivals")
        yield anna
        anna.leave()
        browser.close()


def take(anna: Visitor, folder: Path, job: str, study: str) -> None:
    """The four pictures of the README."""
    anna.open(f"/jobs/{job}")
    learned = re.compile("After epoch ([6-9]|[0-9]{2}) of")
    expect(anna.page.locator("svg[role=img]")).to_have_attribute("aria-label", learned, timeout=PATIENCE * 1000)
    for name, path in {
        "arrivals": "/arrivals",
        "review": "/review",
        "study": f"/studies/{study}",
        "job": f"/jobs/{job}",
    }.items():
        anna.open(path)
        anna.page.wait_for_load_state("networkidle")
        if name == "review":
            anna.page.keyboard.press("ArrowRight")  # the first one has a drawing on it
        file = folder / f"reading-room-{name}.png"
        anna.page.screenshot(path=file)
        with Image.open(file) as shot:
            shot.convert("RGB").quantize(COLOURS).save(file, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(each) for each in sys.argv[2:]] or STUDY)
