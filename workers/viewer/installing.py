"""From the package to pages that are served below /ohif/: what is needed of it, with addresses that lead there."""

import re
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path, PurePosixPath

from workers.viewer.package import VERSION, ViewerError, fetch_package

__all__ = ["BASE", "INDEX", "default_folder", "install", "installed_pages", "is_installed"]

#: Where the gateway serves them.
BASE = "/ohif/"
INDEX, LICENCE = "index.html", "LICENSE"

#: The folder of the built pages in the package.
BUILT = PurePosixPath("package/dist")
#: Neural networks, and a viewer of microscope slides: most of the package, and nothing that radiographs need.
LEFT_OUT_FOLDERS = frozenset({"ort", "dicom-microscopy-viewer", "customizations"})
#: Beside source maps: a configuration, for which ours stands; a service worker, which loads a script from elsewhere,
#: and what takes one away; sign-in by OpenID; scripts for browsers of long ago; and what other web servers read.
LEFT_OUT = frozenset({
    "app-config.js", "sw.js", "init-service-worker.js", "manifest.json", "google.js", "oidc-client.min.js",
    "silent-refresh.html", "es6-shim.min.js", "polyfill.min.js", "serve.json", "_headers", "_redirects",
})  # fmt: skip
#: In the page: addresses of what is left out.
STRAY = re.compile(
    r'<link rel="(?:manifest|yandex-tableau-widget)"[^>]*>|<meta name="msapplication[^>]*>'
    r'|<script[^>]*src="/init-service-worker\.js"></script>'
)


def default_folder() -> Path:
    """Inside the environment that this program runs in, so that removing the one removes the other."""
    return Path(sys.prefix) / "share" / f"ohif-{VERSION}"


def is_installed(folder: Path) -> bool:
    """Whether the folder holds them."""
    return (folder / INDEX).is_file()


def installed_pages(chosen: Path | None) -> Path | None:
    """Where they are, None where there are none. ``chosen``: the folder that MSK_VIEWER names."""
    folder = chosen or default_folder()
    return folder if is_installed(folder) else None


def install(folder: Path) -> bool:
    """Fetch the pages into the folder, which is there whole or not at all; whether that was necessary.

    Raises ViewerError.
    """
    if is_installed(folder):
        return False
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
            pages = Path(temporary) / "pages"
            _unpack(fetch_package(Path(temporary)), pages)
            pages.replace(folder)
    except (OSError, tarfile.TarError) as error:
        raise ViewerError(f"the viewer cannot be put into {folder}: {error}") from None
    return True


def _unpack(archive: Path, pages: Path) -> None:
    with tarfile.open(archive) as package:
        for member in package:
            target = _target(PurePosixPath(member.name))
            source = package.extractfile(member) if target and member.isfile() else None
            if target is None or source is None:
                continue
            file = pages / target
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("wb") as copy:
                shutil.copyfileobj(source, copy)
    for file in pages.iterdir():
        if file.suffix in (".js", ".css", ".html"):
            file.write_text(_rebased(file.name, file.read_text(encoding="utf-8")), encoding="utf-8")


def _target(name: PurePosixPath) -> PurePosixPath | None:
    """Where a file of the package comes to lie; None for one that is left out."""
    if name == BUILT.parent / LICENCE:
        return PurePosixPath(LICENCE)
    if not name.is_relative_to(BUILT) or ".." in name.parts:
        return None
    inner = name.relative_to(BUILT)
    is_left_out = inner.parts[0] in LEFT_OUT_FOLDERS or inner.name in LEFT_OUT or inner.suffix == ".map"
    return None if is_left_out else inner


def _rebased(name: str, text: str) -> str:
    """The file with addresses below `BASE`: they are absolute, since the pages are built for the top of a server."""
    if name == INDEX:
        return STRAY.sub("", text).replace('="/', f'="{BASE}')
    if name.endswith(".css"):
        return text.replace("url(/", f"url({BASE}")
    return text.replace('__webpack_require__.p = "/"', f'__webpack_require__.p = "{BASE}"')
