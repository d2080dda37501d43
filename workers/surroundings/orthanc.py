"""Orthanc: whether it lets the labeller in and can take labels, and what its options cost."""

import re
import time
from collections.abc import Iterator

from workers.metadata.outcome import LABEL_METADATA, PREDICTION, TRUTH
from workers.pacs import Configuration, OrthancClient, OrthancError, OrthancNotFound, OrthancUnavailable
from workers.settings import Settings
from workers.surroundings.clocks import compare_clocks
from workers.surroundings.finding import MISSING, OK, WARNING, Away, Finding

__all__ = ["look_at_orthanc"]

#: The numbers that `orthanc/orthanc.json` gives to the names.
USER_METADATA = {LABEL_METADATA: 1100, PREDICTION: 1101, TRUTH: 1102}
#: Older ones were never tried; those before the second have known security holes.
OLDEST, MENDED = (1, 10), (1, 12, 11)

#: Options, the value that costs nothing, and what the other one costs.
COSTS = {
    "OverwriteInstances": (
        False,
        "a file that is sent again replaces the instance, and with it what a person said (MskTruth) and its label",
    ),
    "StoreMD5ForAttachments": (True, "an instance that is replaced by the same file is labelled again"),
    "StorageCompression": (False, "every store and every fetch of a radiograph takes longer"),
    "HttpCompressionEnabled": (
        False,
        "viewers wait 30 times as long for a radiograph; the labeller asks for it uncompressed",
    ),
}


def look_at_orthanc(settings: Settings, patience: float = 5) -> Iterator[Finding]:
    """Ask the Orthanc that the settings name; ``patience``: seconds to connect, and for each answer.

    Raises:
        Away: it does not answer.
    """
    orthanc = OrthancClient.of(settings, connect_timeout=patience, read_timeout=patience)
    try:
        asked = time.time()
        configuration = orthanc.configuration(USER_METADATA.keys())
    except (OrthancUnavailable, OrthancNotFound) as error:  # a proxy answers 404 while nothing is behind it
        raise Away(str(error)) from None
    except OrthancError as error:
        fix = "correct MSK_ORTHANC_URL, MSK_ORTHANC_USER, MSK_ORTHANC_PASSWORD"
        if "status 403" in str(error):
            fix += ', or set "RemoteAccessAllowed": true in its configuration'
        yield Finding("Orthanc", MISSING, str(error), fix)
        return
    finally:
        orthanc.close()
    held = "" if configuration.instances is None else f", {configuration.instances} instances"
    yield Finding("Orthanc", OK, f"version {configuration.version}{held}")
    yield from _what_it_must_have(configuration)
    yield _version(configuration.version)
    yield from _options(configuration)
    yield from _limits(configuration)
    yield from _webhook(configuration)
    yield from _dicomweb(configuration)
    if configuration.admits_anyone:
        detail = "it answers without user and password: whoever reaches it may read and change everything"
        yield Finding("Orthanc's access", WARNING, detail, 'set "AuthenticationEnabled": true and "RegisteredUsers"')
    if configuration.clock:
        cost = "the webhook is refused from 5 minutes on, and is made up for by the sweep"
        yield compare_clocks("Orthanc's clock", configuration.clock.timestamp(), asked, cost)


def _what_it_must_have(configuration: Configuration) -> Iterator[Finding]:
    if lacking := sorted(configuration.unregistered):
        lines = ", ".join(f'"{name}": {number}' for name, number in USER_METADATA.items())
        detail = f"{', '.join(lacking)} not registered, so that no outcome can be written"
        fix = f'add "UserMetadata": {{{lines}}} to its configuration, and restart it'
        yield Finding("Orthanc's UserMetadata", MISSING, detail, fix)
    if configuration.options.get("ReadOnly"):
        detail = "true, so that no outcome can be written"
        yield Finding("Orthanc's ReadOnly", MISSING, detail, 'set "ReadOnly": false, or name an Orthanc that is not')


def _version(version: str) -> Finding:
    name = "Orthanc's version"
    if not re.fullmatch(r"\d+(\.\d+)+", version):
        return Finding(name, OK, f"{version}, of which nothing is known")
    numbers = tuple(map(int, version.split(".")))
    if numbers < OLDEST:
        return Finding(name, WARNING, f"{version}: older than 1.10, the oldest that was tried", "upgrade it")
    if numbers < MENDED:
        detail = f"{version}: known security holes, which 1.12.11 mended, unless its distribution has mended them too"
        return Finding(name, WARNING, detail, "upgrade it, or let only machines that you trust reach its ports")
    return Finding(name, OK, version)


def _options(configuration: Configuration) -> Iterator[Finding]:
    for option, (harmless, cost) in COSTS.items():
        if option not in configuration.options:
            yield Finding(f"Orthanc's {option}", OK, "cannot be seen here")
            continue
        value = configuration.options[option]
        shown = str(value).lower() if isinstance(value, bool) else str(value)
        if value in (harmless, "Never"):
            yield Finding(f"Orthanc's {option}", OK, shown)
        else:
            fix = f'set "{option}": {str(harmless).lower()} in its configuration'
            yield Finding(f"Orthanc's {option}", WARNING, f"{shown}: {cost}", fix)
    if "CheckRevisions" in configuration.options:
        checked = (
            "other programs must name" if configuration.options["CheckRevisions"] else "other programs need not name"
        )
        detail = f"{checked} the revision of metadata that they replace; the labeller does"
        yield Finding("Orthanc's CheckRevisions", OK, detail)


def _limits(configuration: Configuration) -> Iterator[Finding]:
    """Options that make Orthanc delete what it holds, or refuse more."""
    options = configuration.options
    limits = [f"{name} {options[name]}" for name in ("MaximumStorageSize", "MaximumPatientCount") if options.get(name)]
    if not limits:
        return
    if options.get("MaximumStorageMode", "Recycle") == "Recycle":
        cost = "beyond it Orthanc deletes the oldest patients, with their labels and what people said of them"
    else:
        cost = "beyond it Orthanc stores nothing new"
    fix = "set them to 0, which is without limit, or above what you will ever store"
    yield Finding("Orthanc's limits", WARNING, f"{', '.join(limits)}: {cost}", fix)


def _webhook(configuration: Configuration) -> Iterator[Finding]:
    cost = "labels come with the sweep alone, up to 15 seconds later"
    name = "Orthanc's webhook"
    if configuration.webhook == "on":
        yield Finding(name, OK, "on")
    elif configuration.webhook:
        yield Finding(name, WARNING, f"{configuration.webhook}: {cost}", "correct the variables of Orthanc's process")
    elif configuration.has_python is False:
        fix = "load its Python plugin with the script orthanc/webhook.py"
        yield Finding(name, WARNING, f"no Python plugin: {cost}", fix)
    elif configuration.has_python:
        detail = f"orthanc/webhook.py does not answer. Without it, {cost}. Or it is of an earlier version"
        fix = 'set "PythonScript" to orthanc/webhook.py of this version'
        yield Finding(name, WARNING, detail, fix)


def _dicomweb(configuration: Configuration) -> Iterator[Finding]:
    """Labels need none, so a site without it is not warned with every start."""
    if configuration.has_dicomweb is not None:
        lacking = "no plugin, so the gateway serves none: install orthanc-dicomweb if viewers are to have it"
        yield Finding("Orthanc's DICOMweb", OK, "its plugin is loaded" if configuration.has_dicomweb else lacking)
