"""Checkpoints."""

from dataclasses import replace
from pathlib import Path

import pytest

from mskmodel.network.preprocessing import Preprocessing
from mskmodel.training.checkpoint import Checkpoint, CheckpointError
from mskmodel.training.loop import Source, new_model, train
from tests.drawn_pictures import CLASSES, QUICK, pictures, weights


def test_a_checkpoint_of_another_model_or_cut_short_is_refused(tmp_path: Path) -> None:
    made: list[Checkpoint] = []
    model = new_model(CLASSES, QUICK, weights())
    source = [Source("drawn", pictures(), 1.0)]
    train(model, source, Preprocessing(), QUICK, after_epoch=lambda epoch: made.append(epoch.checkpoint()))
    wider = replace(QUICK, hidden=(48,))
    path = tmp_path / "run.safetensors"
    made[0].save(path)
    path.write_bytes(path.read_bytes()[:-100])

    with pytest.raises(CheckpointError, match="another model"):
        train(new_model(CLASSES, wider, weights()), source, Preprocessing(), wider, resume=made[0])
    with pytest.raises(CheckpointError, match=r"run\.safetensors"):
        Checkpoint.load(path)
