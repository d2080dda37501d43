"""How an Orthanc is configured, as far as it can be seen over REST; nothing is written to find out.

`/system` says more with each version: none of the options on 1.10, that of the MD5 only on 1.13. The plugin script
`orthanc/webhook.py` says them where it runs. What neither says is not known.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from workers.pacs.http import OrthancError, OrthancHttp, OrthancUnavailable, OrthancUnregistered

__all__ = ["Configuration", "read_configuration"]

#: A page of Orthanc Explorer, large enough to be compressed by an Orthanc that compresses its answers.
_PAGE = "app/explorer.html"
#: An identifier that no instance has.
_NOBODY = "-".join(["00000000"] * 5)

_Found = TypeVar("_Found")


@dataclass(frozen=True)
class Configuration:
    """What an Orthanc says of itself. An option that is not in ``options`` cannot be seen."""

    version: str
    instances: int | None
    """How many it holds; None where this user may not see it."""
    options: Mapping[str, Any]
    """Options of its configuration file by name, such as `OverwriteInstances`, with defaults filled in."""
    unregistered: frozenset[str]
    """Which of the names of metadata that were asked for are not in `UserMetadata`."""
    has_python: bool | None
    """Whether its Python plugin is loaded; None where this user may not see it."""
    has_dicomweb: bool | None
    """Whether its DICOMweb plugin is, likewise."""
    webhook: str | None
    """What the plugin script says of itself: `on`, or why it is off; None where it does not run, or is an older one."""
    admits_anyone: bool
    """Whether it answers without user and password."""
    clock: datetime | None
    """Its time, UTC."""


def read_configuration(http: OrthancHttp, names: frozenset[str]) -> Configuration:
    """Ask for everything. ``names``: of metadata that should be registered.

    Raises:
        OrthancUnavailable: it does not answer, or what answers is no Orthanc.
        OrthancRefused: it does not let this user in.
        OrthancNotFound: there is none under this path of the address, or not yet.
    """
    system = http.json("GET", "system")
    if not isinstance(system, Mapping) or "Version" not in system:
        raise OrthancUnavailable("GET system: not an answer of Orthanc")
    script = _seen(lambda: dict(http.json("GET", "msk/webhook"))) or {}
    instances = _seen(lambda: int(http.json("GET", "statistics")["CountInstances"]))
    options = {**_of_newest(http, instances or 0), **_answered(http), **script.get("options", {}), **system}
    plugins = _seen(lambda: list(http.json("GET", "plugins")))
    registered = options.get("UserMetadata")
    return Configuration(
        version=str(system["Version"]),
        instances=instances,
        options=options,
        unregistered=_unregistered(http, names) if registered is None else names - registered.keys(),
        has_python=None if plugins is None else "python" in plugins,
        has_dicomweb=None if plugins is None else "dicom-web" in plugins,
        webhook=script.get("webhook"),
        admits_anyone=_seen(lambda: http.request("GET", "system", anonymous=True)) is not None,
        clock=_seen(lambda: _time(http.request("GET", "tools/now").text)),
    )


def _seen(ask: Callable[[], _Found]) -> _Found | None:
    """What was found; None where this user may not see it, this version does not have it, or it does not answer it."""
    with suppress(OrthancError, IndexError, KeyError, TypeError, ValueError):
        return ask()
    return None


def _time(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%dT%H%M%S").replace(tzinfo=UTC)


def _answered(http: OrthancHttp) -> dict[str, bool]:
    """Whether it compresses its answers: it does so for whoever asks for it."""
    answer = _seen(lambda: http.request("GET", _PAGE, headers={"Accept-Encoding": "gzip"}))
    return {} if answer is None else {"HttpCompressionEnabled": "Content-Encoding" in answer.headers}


def _of_newest(http: OrthancHttp, count: int) -> dict[str, bool]:
    """What the last of its files shows of the options: whether it has an MD5, and is compressed."""
    newest = _seen(lambda: str(http.json("GET", f"instances?since={count - 1:d}&limit=1")[0])) if count else None
    if newest is None:
        return {}
    path = f"instances/{newest}/attachments/dicom"
    compressed = _seen(lambda: http.request("GET", f"{path}/is-compressed").text)
    if compressed is None:  # deleted meanwhile, or not for this user
        return {}
    has_md5 = _seen(lambda: http.request("GET", f"{path}/md5")) is not None
    return {"StorageCompression": compressed == "1", "StoreMD5ForAttachments": has_md5}


def _unregistered(http: OrthancHttp, names: frozenset[str]) -> frozenset[str]:
    """The names that mean nothing to it; it says so even of an instance that it does not have."""
    found = set()
    for name in names:
        try:
            http.request("GET", f"instances/{_NOBODY}/metadata/{name}")
        except OrthancUnregistered:
            found.add(name)
        except OrthancError:  # registered, if this user may see it
            continue
    return frozenset(found)
