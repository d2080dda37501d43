"""Pictures over HTTP, of a real Orthanc: from good files and hostile ones, with children that may die."""

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import httpx
import pytest
import requests
from PIL import Image
from pydicom import uid

from mskmodel.dicom.writing import write_dx
from tests import dicom_files, gateway_process
from tests.access_site import MACHINE_TOKEN, AccessSite, bearer
from tests.broker import valkey
from tests.servers import Orthanc, running_orthanc
from tests.waiting import until
from workers.pictures.answer import Ending
from workers.pictures.child import MEMORY
from workers.pictures.renderers import AT_ONCE, Renderers


@dataclass(frozen=True)
class PictureSite:
    """An Orthanc, and a gateway with the machine's own token."""

    server: Orthanc
    client: httpx.Client
    gateway: int

    def picture(self, instance_id: str, size: str = "thumbnail", **headers: str) -> httpx.Response:
        return self.client.get(f"/pictures/{instance_id}", params={"size": size}, headers=headers)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PictureSite]:
    folder = tmp_path_factory.mktemp("pictures")
    with running_orthanc(folder / "orthanc") as server, valkey(folder / "valkey") as broker:
        environment = AccessSite(broker, str(folder / "records"), server.access).environment
        with gateway_process.running(environment) as (process, client):
            client.headers.update(bearer(MACHINE_TOKEN))
            yield PictureSite(server, client, process.pid)


def stored(site: PictureSite, name: str, rows: int = 600, columns: int = 450) -> str:
    return site.server.upload(
        write_dx(dicom_files.gradient(12, rows, columns), header=dicom_files.header(name), bits=12)
    )


def delete(site: PictureSite, instance: str) -> None:
    login = (site.server.user, site.server.password)
    requests.delete(f"{site.server.url}/instances/{instance}", auth=login, timeout=10).raise_for_status()


def children(parent: int) -> list[int]:
    """Processes of a parent that render pictures."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            is_child = entry.name.isdigit() and f"PPid:\t{parent}\n" in (entry / "status").read_text()
            if is_child and b"workers.pictures.child" in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:  # it ended while we looked
            continue
    return found


def is_alive(child: int) -> bool:
    """Whether it runs; what has ended and was not waited for has no command line."""
    try:
        return bool(Path(f"/proc/{child}/cmdline").read_bytes())
    except FileNotFoundError:
        return False


def test_sizes_tags_and_who_may_keep_them(site: PictureSite) -> None:
    instance = stored(site, "sizes", 2000, 1500)
    for size, shape in (("thumbnail", (144, 192)), ("reading", (1200, 1600))):
        answer = site.picture(instance, size)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/webp")
        with Image.open(BytesIO(answer.content)) as image:
            assert image.size == shape
        assert answer.headers["cache-control"].startswith("private")
        again = site.picture(instance, size, **{"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    assert site.picture(instance, "poster").status_code == 422


def test_an_instance_with_another_file_has_another_picture_and_tag(site: PictureSite) -> None:
    instance = stored(site, "replaced")
    before = site.picture(instance)
    delete(site, instance)
    assert stored(site, "replaced", 450, 600) == instance
    after = site.picture(instance, **{"If-None-Match": before.headers["etag"]})
    assert after.status_code == 200
    assert after.content != before.content


def test_a_deleted_one_is_404_in_words(site: PictureSite) -> None:
    instance = stored(site, "deleted")
    assert site.picture(instance).status_code == 200
    delete(site, instance)
    for each in (instance, "no-identifier"):
        answer = site.picture(each)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "image/svg+xml")
        assert "Deleted" in answer.text


def test_what_has_no_picture_says_why(site: PictureSite) -> None:
    ct = dicom_files.edited("ct", lambda ds: setattr(ds, "SOPClassUID", uid.CTImageStorage))
    cut = dicom_files.edited("cut", lambda ds: setattr(ds, "PixelData", ds.PixelData[:1000]))
    for data, reason in ((ct, "Not a radiograph"), (cut, "pixel data")):
        answer = site.picture(site.server.upload(data), "reading")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/svg+xml")
        assert reason in answer.text
        assert "Hidden" not in answer.text  # the patient's name


def test_a_child_that_is_killed_costs_nothing_and_its_limits_hold(site: PictureSite) -> None:
    assert site.picture(stored(site, "before")).status_code == 200
    for child in children(site.gateway):
        limits = Path(f"/proc/{child}/limits").read_text()
        assert f"Max address space         {MEMORY}" in limits
        os.kill(child, signal.SIGKILL)
    instance = stored(site, "after")
    answers = [site.picture(instance) for _ in range(AT_ONCE + 1)]  # each dead child is met once at most
    assert answers[-1].headers["content-type"] == "image/webp"
    assert site.client.get("/healthz").status_code == 200


def test_a_child_that_hangs_is_replaced(site: PictureSite, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (site.server.access | {"MSK_BROKER_URL": "redis://127.0.0.1:1/0"}).items():
        monkeypatch.setenv(name, value)
    instance, renderers = stored(site, "hangs"), Renderers(seconds=20)
    assert renderers.picture(instance, "thumbnail").ending is Ending.PICTURE
    (child,) = children(os.getpid())
    os.kill(child, signal.SIGSTOP)
    renderers._seconds = 0.1
    stopped = renderers.picture(instance, "thumbnail")
    assert (stopped.ending, stopped.reason) == (Ending.STOPPED, "no picture: it took too long")
    renderers._seconds = 20
    assert renderers.picture(instance, "thumbnail").ending is Ending.PICTURE
    (another,) = children(os.getpid())
    assert another != child
    while not renderers._free.empty():
        if one := renderers._free.get():
            one.end()


def test_children_end_with_a_gateway_that_is_killed(site: PictureSite, tmp_path: Path) -> None:
    with valkey(tmp_path / "valkey") as broker:
        environment = AccessSite(broker, str(tmp_path / "records"), site.server.access).environment
        with gateway_process.running(environment) as (process, client):
            client.headers.update(bearer(MACHINE_TOKEN))
            assert client.get(f"/pictures/{stored(site, 'orphans')}").status_code == 200
            (child,) = children(process.pid)
            process.kill()
            until(
                lambda: not Path(f"/proc/{child}/cmdline").exists() or not Path(f"/proc/{child}/cmdline").read_bytes()
            )
