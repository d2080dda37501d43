"""OHIF's pages from the package: checked before they are opened, with nothing that is not needed, and below /ohif/."""

import hashlib
import io
import tarfile
from base64 import b64encode
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.servers import free_port
from workers.viewer import package
from workers.viewer.installing import install, is_installed
from workers.viewer.package import VERSION, ViewerError

PAGE = (
    '<link rel="manifest" href="/manifest.json"><link rel="icon" href="/assets/icon.png">'
    '<script>window.PUBLIC_URL="/"</script><script src="/app-config.js"></script>'
    '<script type="module" src="/init-service-worker.js"></script><script src="/app.js"></script>'
)
FILES = {
    "package/LICENSE": "MIT",
    "package/README.md": "read me",
    "package/dist/index.html": PAGE,
    "package/dist/app.js": '__webpack_require__.p = "/";',
    "package/dist/app.js.map": "{}",
    "package/dist/app.css": "url(/font.woff2)",
    "package/dist/app-config.js": "window.config = {}",
    "package/dist/sw.js": "importScripts('https://elsewhere.example/x.js')",
    "package/dist/assets/icon.png": "icon",
    "package/dist/ort/ort.js": "networks",
    "package/dist/../../outside": "hostile",
}


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The archive that a registry gives where there is no npm, which is what was pinned."""
    archive = tmp_path / "registry" / "@ohif" / "app" / "-" / f"app-{VERSION}.tgz"
    archive.parent.mkdir(parents=True)
    with tarfile.open(archive, "w:gz") as packed:
        for name, text in FILES.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            packed.addfile(member, io.BytesIO(text.encode()))
    digest = hashlib.sha512(archive.read_bytes()).digest()
    monkeypatch.setattr(package, "INTEGRITY", b64encode(digest).decode())
    monkeypatch.setenv("PATH", str(tmp_path))
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "registry"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        monkeypatch.setenv("NPM_CONFIG_REGISTRY", f"http://127.0.0.1:{server.server_port}/")
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield archive
        server.shutdown()


def test_what_is_needed_is_installed_and_leads_below_the_base(registry: Path, tmp_path: Path) -> None:
    folder = tmp_path / "share" / "ohif"
    assert install(folder)
    found = {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}
    assert found == {
        "LICENSE": "MIT",
        "index.html": '<link rel="icon" href="/ohif/assets/icon.png"><script>window.PUBLIC_URL="/ohif/"</script>'
        '<script src="/ohif/app-config.js"></script><script src="/ohif/app.js"></script>',
        "app.js": '__webpack_require__.p = "/ohif/";',
        "app.css": "url(/ohif/font.woff2)",
        "assets/icon.png": "icon",
    }
    registry.unlink()
    assert not install(folder)  # it is there, and nobody is asked


def test_another_file_than_the_pinned_one_is_not_opened(registry: Path, tmp_path: Path) -> None:
    registry.write_bytes(registry.read_bytes() + b"!")
    with pytest.raises(ViewerError, match="is not the file that was expected: its SHA-512 is "):
        install(tmp_path / "ohif")
    assert [each.name for each in tmp_path.iterdir()] == ["registry"]


def test_a_registry_that_is_away_or_lacks_the_package_is_said(
    registry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.unlink()
    with pytest.raises(ViewerError, match=r"cannot be fetched from http.*404"):
        install(tmp_path / "ohif")
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(ViewerError, match="cannot be fetched from http"):
        install(tmp_path / "ohif")
    assert not is_installed(tmp_path / "ohif")


@pytest.mark.usefixtures("registry")
def test_what_npm_says_is_passed_on(tmp_path: Path) -> None:
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho 'npm error code E401' >&2\nexit 1\n")
    npm.chmod(0o755)
    with pytest.raises(ViewerError, match=f"npm cannot fetch @ohif/app {VERSION}: npm error code E401"):
        install(tmp_path / "ohif")
