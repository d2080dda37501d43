"""Reports: texts are escaped, pictures contain only pixels, and figures are well-formed."""

import base64
import re
from io import BytesIO
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from mskmodel.judging import plots
from mskmodel.judging.report import Figure, Figures, Picture, Pictures, Section, Table, page

RIGHT = np.array([True, False, True, True])
CONFIDENCE = np.array([0.9, 0.4, 0.8, 1.0])
NOTHING = np.zeros(0)


def draw() -> list[str]:
    counts = np.array([[7, 1], [0, 31]])
    return [
        plots.confusion_matrix(counts, ("knee_ap", "foot_ap"), ("knee_ap", "foot_ap")),
        plots.curves({"seed 1": [0.9, 0.5], "seed 2": [0.8]}, "loss"),
        plots.curves({"seed 1": [0.5, 0.9]}, "top-1", percent=True),
        plots.reliability_diagram(CONFIDENCE, RIGHT),
        plots.risk_coverage(CONFIDENCE, RIGHT, 0.5),
        plots.confidence_histograms(CONFIDENCE, CONFIDENCE / 2, 0.6),
    ]


@pytest.fixture(scope="module")
def drawn() -> list[str]:
    return draw()


def test_figures_are_xml_with_their_words_in_the_colour_of_the_page(drawn: list[str]) -> None:
    for figure in drawn:
        ElementTree.fromstring(figure)
        assert "currentColor" in figure
    words = "".join(ElementTree.fromstring(drawn[0]).itertext())
    assert {"31", "foot_ap", "said"} <= set(words.split())


def test_the_same_figure_is_the_same_text(drawn: list[str]) -> None:
    assert draw() == drawn


def test_nothing_to_draw_is_no_error() -> None:
    none = NOTHING.astype(bool)

    for figure in (
        plots.reliability_diagram(NOTHING, none),
        plots.risk_coverage(NOTHING, none, 0.5),
        plots.confidence_histograms(NOTHING, NOTHING),
        plots.confusion_matrix(np.zeros((1, 1), np.int64), ["a"], ["a"]),
        plots.curves({"seed 1": []}, "loss"),
    ):
        ElementTree.fromstring(figure)


def test_a_page_has_all_its_parts_and_escapes_every_text(drawn: list[str]) -> None:
    values = np.arange(12, dtype=np.uint8).reshape(3, 4)
    evil = "<script>alert('x')</script>"
    sections = [
        Section(evil, [evil, Table((evil, "b"), [(evil, "2")], evil)]),
        Section("Plots", [Figures([Figure(svg, evil) for svg in drawn])]),
        Section("Pictures", [Pictures([Picture.of(values, [evil, "second"])])]),
    ]

    html = page(evil, evil, sections)

    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 8
    assert html.count("<svg") == len(drawn)
    (encoded,) = re.findall(r"data:image/png;base64,([^\"]+)", html)
    with Image.open(BytesIO(base64.b64decode(encoded))) as picture:
        assert np.array_equal(np.asarray(picture), values)
        assert picture.info == {}
