"""`msk label`: labels files with the model alone, without a server."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workers.terminal.options import device_option, json_option

if TYPE_CHECKING:
    from mskmodel.dicom.radiograph_kinds import RadiographKinds
    from mskmodel.registry.classifier import Classifier

__all__ = ["command"]


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--model", help="A version's name or directory; without it, the one that is served.")
@device_option
@json_option
def command(files: tuple[Path, ...], model: str | None, device: str, as_json: bool) -> None:
    """Label radiographs: DICOM FILES or pictures (PNG, JPEG, TIFF...). Exit 1 if any of them could not be read."""
    from workers.settings import radiograph_kinds
    from workers.terminal.chosen_version import load_classifier

    kinds = radiograph_kinds()
    classifier = load_classifier(model, device)
    answers = [_answer(classifier, kinds, file) for file in files]
    if as_json:
        click.echo(json.dumps({"model": classifier.version, "files": answers}, allow_nan=False))
    else:
        _print(answers)
    if any(answer["error"] for answer in answers):
        raise SystemExit(1)


def _answer(classifier: "Classifier", kinds: "RadiographKinds", file: Path) -> dict[str, Any]:
    import numpy as np

    from mskmodel.data.dataset import Unreadable
    from mskmodel.dicom.reading import read_image
    from mskmodel.evidence.combination import combined
    from mskmodel.radiograph import NotClassifiable

    answer: dict[str, Any] = {
        "file": str(file),
        "label": None,
        "confidence": None,
        "top5": [],
        "region": None,
        "reason": None,
        "note": None,
    }
    answer["error"] = None
    try:
        radiograph = read_image(file, kinds=kinds)
        said = classifier.classify([classifier.prepare(radiograph)])[0]
    except (NotClassifiable, OSError) as error:
        return answer | {"error": Unreadable.because(file, error).reason}
    top5 = [[key, round(probability, 4)] for key, probability in said.top5]
    answer |= {"label": said.label, "confidence": said.confidence, "top5": top5, "reason": said.reason}
    if said.probabilities:
        found = combined(np.array(said.probabilities), classifier.classes, kinds=dict(said.kinds)).regions
        region = max(found, key=lambda each: found[each])
        answer["region"] = [region, round(found[region], 4)]
    return answer | {"note": radiograph.note or None}


def _print(answers: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("file", "label", "confidence", "likeliest", "reason")
    table.columns[0].overflow = "fold"
    table.columns[2].justify = "right"
    for answer in answers:
        if answer["error"]:
            table.add_row(answer["file"], "-", "-", "-", answer["error"], style="red")
            continue
        likeliest = ", ".join(f"{key} {probability:.2f}" for key, probability in answer["top5"] if probability >= 0.05)
        label = answer["label"] or "needs review"
        said = "; ".join(filter(None, (answer["reason"], answer["note"])))
        table.add_row(answer["file"], label, f"{answer['confidence']:.2f}", likeliest, said)
    Console().print(table)
