"""What is found out about an Orthanc: real ones, configured otherwise than they should be."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mskmodel.dicom.writing import Header, write_dx
from tests.faulty_pacs import NO_JSON, faulty_pacs
from tests.servers import Orthanc, free_port, new_webhook_secret
from workers.settings import Settings
from workers.surroundings import MISSING, WARNING, Away, Finding
from workers.surroundings.orthanc import look_at_orthanc

COSTLY = {
    '"OverwriteInstances": false': '"OverwriteInstances": true',
    '"StoreMD5ForAttachments": true': '"StoreMD5ForAttachments": false',
    '"StorageCompression": false': '"StorageCompression": true',
    '"HttpCompressionEnabled": false': '"HttpCompressionEnabled": true',
    '"MaximumStorageSize": 0': '"MaximumStorageSize": 1000',
    '"AuthenticationEnabled": true': '"AuthenticationEnabled": false',
}
WITHOUT_PLUGIN = {'"Plugins": [': '"NoPlugins": ['}


def settings(orthanc: Orthanc, **others: str) -> Settings:
    return Settings.from_environment({**orthanc.access, "MSK_BROKER_URL": "redis://127.0.0.1:9/0", **others})


def ill(orthanc: Orthanc, **others: str) -> dict[str, Finding]:
    """What is not well, by name without Orthanc's, but for the version: Debian's is an old one."""
    found = {each.name: each for each in look_at_orthanc(settings(orthanc, **others)) if each.fix}
    return {name.removeprefix("Orthanc's "): each for name, each in found.items() if name != "Orthanc's version"}


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    data = tmp_path_factory.mktemp("orthanc")
    server = Orthanc(data, webhook_url="http://127.0.0.1:9/hooks/orthanc", webhook_secret=new_webhook_secret())
    server.start()
    yield server
    server.close()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Orthanc]:
    """One that a test starts, with `changes`."""
    server = Orthanc(tmp_path)
    yield server
    server.kill()


def stored(orthanc: Orthanc) -> None:
    orthanc.upload(write_dx(np.zeros((32, 32), np.uint8), header=Header(identity="surroundings"), bits=8))


def test_an_orthanc_as_it_should_be_is_well(orthanc: Orthanc) -> None:
    stored(orthanc)
    assert not ill(orthanc)


def test_each_option_that_costs_something_is_told_with_its_cost(other: Orthanc) -> None:
    other.changes = COSTLY
    other.start()
    found = ill(other)
    assert {name for name, each in found.items() if each.status == WARNING} == found.keys()
    costs = {
        "OverwriteInstances": "what a person said (MskTruth)",
        "StoreMD5ForAttachments": "labelled again",
        "StorageCompression": "takes longer",
        "HttpCompressionEnabled": "viewers wait",
        "limits": "deletes the oldest patients",
        "access": "without user and password",
        "webhook": "MSK_WEBHOOK_URL and MSK_WEBHOOK_SECRET are not both set",
    }
    assert found.keys() == costs.keys()
    assert all(cost in found[name].detail for name, cost in costs.items())
    assert found["OverwriteInstances"].fix == 'set "OverwriteInstances": false in its configuration'


def test_without_the_plugin_what_files_and_answers_show_is_told_and_nothing_else(other: Orthanc) -> None:
    other.changes = {**COSTLY, **WITHOUT_PLUGIN}
    other.start()
    assert ill(other).keys() == {"HttpCompressionEnabled", "access", "webhook"}
    stored(other)
    assert ill(other).keys() >= {"StoreMD5ForAttachments", "StorageCompression"}


@pytest.mark.parametrize("changes", [{}, WITHOUT_PLUGIN], ids=["with the plugin", "without"])
def test_names_of_metadata_that_are_not_registered_make_labelling_impossible(
    other: Orthanc, changes: dict[str, str]
) -> None:
    other.changes = {'"MskLabel": 1100,': "", **changes}
    other.start()
    found = ill(other)["UserMetadata"]
    assert found.status == MISSING
    assert found.detail.startswith("MskLabel not registered")
    assert '"UserMetadata": {"MskLabel": 1100, "MskPrediction": 1101, "MskTruth": 1102}' in found.fix


@pytest.mark.parametrize("status", [403, 500])
def test_what_a_user_may_not_see_is_not_claimed(other: Orthanc, status: int) -> None:
    other.changes = COSTLY
    other.start()
    with faulty_pacs(other.url) as proxy:
        proxy.fault = lambda _method, path: None if path == "/system" else status
        assert ill(other, MSK_ORTHANC_URL=proxy.url).keys() == {"access"}


@pytest.mark.parametrize("fault", [503, NO_JSON])
def test_an_orthanc_that_answers_something_else_is_away(orthanc: Orthanc, fault: int) -> None:
    with faulty_pacs(orthanc.url) as proxy:
        proxy.spoil(fault)
        with pytest.raises(Away):
            ill(orthanc, MSK_ORTHANC_URL=proxy.url)


def test_a_wrong_password_is_told_from_an_orthanc_that_is_away(orthanc: Orthanc) -> None:
    (found,) = look_at_orthanc(settings(orthanc, MSK_ORTHANC_PASSWORD="wrong"))
    assert found.status == MISSING
    assert "status 401" in found.detail
    for elsewhere in (f"http://127.0.0.1:{free_port()}", f"{orthanc.url}/no/such/path"):
        with pytest.raises(Away):
            list(look_at_orthanc(settings(orthanc, MSK_ORTHANC_URL=elsewhere)))
