"""Which reasons the index repeats: all that label workers write, and nothing that may be somebody's name."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import mskmodel.dicom
from mskmodel.dicom import terms
from mskmodel.dicom.colour import COLOURED
from mskmodel.registry.decision import LOW_CONFIDENCE, MORE_VIEWS, NO_NUMBER, UNLIKE
from workers.labelling.blame import Step
from workers.records.reason import UNTOLD, told

ERRORS = {"BadCodestreamError", "Skipped", "Undecodable"}


def said_of_files() -> Iterator[str]:
    """The fixed texts of the errors for files that cannot be classified."""
    for path in Path(str(mskmodel.dicom.__file__)).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ERRORS:
                texts = [each.value for each in ast.walk(node) if isinstance(each, ast.Constant)]
                yield "7".join(text for text in texts if isinstance(text, str))


def test_what_label_workers_say_of_files_is_repeated() -> None:
    found = [text for text in said_of_files() if text]
    assert len(found) > 40
    assert [text for text in found if told(text) != text] == []


@pytest.mark.parametrize(
    "reason",
    [
        *(COLOURED, LOW_CONFIDENCE, MORE_VIEWS, NO_NUMBER, UNLIKE),
        *(f"{step.value}: status 500, tried 5 times" for step in Step),
        f"{Step.FETCH.value}: nobody listens there (connection refused), tried 5 times",
        f"not a radiograph: {terms.uid_name('1.2.840.10008.5.1.4.1.1.2')} with the modality CT",
        f"unsupported transfer syntax: {terms.uid_name('1.2.840.10008.1.2.4.100')}",
        "reading it ended in an unexpected error (ValueError)",
        "the worker died or got stuck on it 3 times",
        "it needs more memory than there is",
        "the model has no answer for it",
        "the file is larger than 256 MB",
    ],
)
def test_other_reasons_of_label_workers_are_repeated(reason: str) -> None:
    assert told(reason) == reason


@pytest.mark.parametrize(
    "reason", ["Quincy", "the image of Quincy^Anna is damaged", "damaged\n", "no " * 200, "müller", "the_Quincy_file"]
)
def test_other_words_are_not(reason: str) -> None:
    assert told(reason) == UNTOLD


@pytest.mark.parametrize("reason", [None, "", 7, ["damaged"]])
def test_none_is_none(reason: object) -> None:
    assert told(reason) is None
