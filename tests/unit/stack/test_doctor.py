"""The doctor names what is missing and what to type; nothing else fails with it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from workers.cli import main
from workers.stack import doctor
from workers.surroundings import MISSING, OK, WARNING, Finding


def test_a_machine_that_lacks_nothing_is_well(tmp_path: Path) -> None:
    findings = {finding.name: finding for finding in doctor.examine(tmp_path / "data")}
    ill = {name: finding.detail for name, finding in findings.items() if finding.status != OK}
    assert not ill
    assert {"Orthanc", "Valkey", "DICOM codecs", "Model", "PyTorch"} <= findings.keys()
    assert findings["Orthanc"].detail[0].isdigit()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the checks that take seconds."""
    fine = Finding("fine", OK, "")
    for look in ("_codecs", "_torch"):
        monkeypatch.setattr(doctor, look, lambda: fine)
    monkeypatch.setattr(doctor, "_model", lambda _: fine)


@pytest.mark.usefixtures("quick")
def test_a_lack_that_prevents_labelling_is_shown_with_status_1_and_the_command_that_fixes_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(doctor, "orthanc_binary", lambda: None)
    result = CliRunner().invoke(main, ["doctor", "--data", str(tmp_path)])
    assert result.exit_code == 1
    assert "✗ Orthanc: not installed\n    sudo apt-get install orthanc orthanc-python\n" in result.output


@pytest.mark.usefixtures("quick")
def test_a_checkout_that_lacks_a_file_gets_it_back_from_git(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor, "PACS_SIDE", tmp_path)
    result = CliRunner().invoke(main, ["doctor", "--data", str(tmp_path)])
    assert result.exit_code == 1
    assert f"orthanc.json, webhook.py not in {tmp_path}\n    git checkout -- orthanc\n" in result.output


@pytest.mark.usefixtures("quick")
def test_a_lack_that_affects_only_phantoms_is_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(doctor.GL_LIBRARIES, "libnosuch.so.7", "libnosuch7")
    result = CliRunner().invoke(main, ["doctor", "--json", "--data", str(tmp_path)])
    assert result.exit_code == 0
    warnings = [finding for finding in json.loads(result.output) if finding["status"] == WARNING]
    assert [finding["name"] for finding in warnings] == ["OpenGL for phantoms"]
    assert warnings[0]["fix"].endswith("libnosuch7")


@pytest.mark.usefixtures("quick")
def test_servers_that_the_environment_names_are_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MSK_ORTHANC_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("MSK_ORTHANC_USER", "msk")
    monkeypatch.setenv("MSK_ORTHANC_PASSWORD", "very-secret")
    monkeypatch.setenv("MSK_BROKER_URL", "redis://:very-secret@127.0.0.1:9/0")
    result = CliRunner().invoke(main, ["doctor", "--json", "--data", str(tmp_path)])
    assert result.exit_code == 1
    missing = [finding["name"] for finding in json.loads(result.output) if finding["status"] == MISSING]
    assert missing == ["Orthanc of MSK_ORTHANC_URL", "Broker of MSK_BROKER_URL"]
    assert "very-secret" not in result.output
