"""Orthanc's plugin script in this process, with a stand-in for what only Orthanc's own process has."""

import importlib.util
import sys
from types import ModuleType, SimpleNamespace

import pytest

from tests.servers import ROOT


class OrthancException(Exception):
    """As in the plugin."""


def load(monkeypatch: pytest.MonkeyPatch, **functions: object) -> tuple[ModuleType, list[str]]:
    """The script, imported as the plugin does, and what it logs."""
    logged: list[str] = []
    orthanc = SimpleNamespace(
        OrthancException=OrthancException,
        ErrorCode=SimpleNamespace(UNKNOWN_RESOURCE=17, INEXISTENT_ITEM=7),
        QueueOrigin=SimpleNamespace(FRONT="front"),
        LogInfo=logged.append,
        LogWarning=logged.append,
        LogError=logged.append,
        RegisterRestCallback=lambda _path, _answer: None,
        **functions,
    )
    monkeypatch.setitem(sys.modules, "orthanc", orthanc)
    for name in ("MSK_WEBHOOK_URL", "MSK_WEBHOOK_SECRET"):
        monkeypatch.delenv(name, raising=False)
    spec = importlib.util.spec_from_file_location("webhook_script", ROOT / "orthanc" / "webhook.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script, logged
