"""`msk weights`."""

import json
from pathlib import Path

from safetensors.torch import save_file

from mskmodel.network.alexnet import AlexNet, Architecture
from tests.unit.commands.typed import msk


def test_weights_says_where_they_are_from_or_why_there_are_none(tmp_path: Path) -> None:
    state = AlexNet(Architecture(2, hidden=(8,))).features.state_dict()
    save_file({f"features.{name}": tensor for name, tensor in state.items()}, tmp_path / "conv.safetensors")
    (tmp_path / "broken.pth").write_bytes(b"nothing")

    found = json.loads(msk("weights", "--path", str(tmp_path / "conv.safetensors"), "--json").stdout)

    assert found["source"] == "file conv.safetensors"
    assert found["numbers"] == 2_469_696
    assert msk("weights", "--path", str(tmp_path / "broken.pth")).exit_code == 1
