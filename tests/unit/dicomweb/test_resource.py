"""Which paths are served, and that no other one is."""

import pytest

from workers.dicomweb.resource import Kind, Resource

STUDY, SERIES, INSTANCE = "studies/1.2", "studies/1.2/series/3.4", "studies/1.2/series/3.4/instances/5.6"


@pytest.mark.parametrize(
    ("path", "kind", "level", "uids"),
    [
        ("studies", Kind.SEARCH, "studies", ("", "", "")),
        ("series", Kind.SEARCH, "series", ("", "", "")),
        ("instances", Kind.SEARCH, "instances", ("", "", "")),
        (f"{STUDY}/series", Kind.SEARCH, "series", ("1.2", "", "")),
        (f"{STUDY}/instances", Kind.SEARCH, "instances", ("1.2", "", "")),
        (f"{SERIES}/instances", Kind.SEARCH, "instances", ("1.2", "3.4", "")),
        (f"{STUDY}/metadata", Kind.METADATA, "instances", ("1.2", "", "")),
        (f"{SERIES}/metadata", Kind.METADATA, "instances", ("1.2", "3.4", "")),
        (f"{INSTANCE}/metadata", Kind.METADATA, "instances", ("1.2", "3.4", "5.6")),
        (STUDY, Kind.PIXELS, "instances", ("1.2", "", "")),
        (SERIES, Kind.PIXELS, "instances", ("1.2", "3.4", "")),
        (INSTANCE, Kind.PIXELS, "instances", ("1.2", "3.4", "5.6")),
        (f"{STUDY}/rendered", Kind.PIXELS, "instances", ("1.2", "", "")),
        (f"{INSTANCE}/thumbnail", Kind.PIXELS, "instances", ("1.2", "3.4", "5.6")),
        (f"{INSTANCE}/frames/1,2", Kind.PIXELS, "instances", ("1.2", "3.4", "5.6")),
        (f"{INSTANCE}/frames/1/rendered", Kind.PIXELS, "instances", ("1.2", "3.4", "5.6")),
        (f"{INSTANCE}/bulk/00409096/1/00281101", Kind.PIXELS, "instances", ("1.2", "3.4", "5.6")),
    ],
)
def test_a_path_of_the_standard_is_served(path: str, kind: Kind, level: str, uids: tuple[str, str, str]) -> None:
    found = Resource.of(path)
    assert found == Resource(path, kind, level, *uids)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "servers",
        "app/client/index.html",
        "studies/",
        "/studies",
        "//studies",
        "studies//series",
        "studies/..",
        "studies/../../instances",
        "studies/1.2/../../../system",
        "studies/1.2%2F..%2F..",
        "studies/1.2/series/..",
        "studies/1.2?x",
        "studies/1.2#x",
        "studies/1.2\\..",
        "studies/1.2\n",
        "studies/1.2 ",
        "studies/" + "1" * 65,
        "studies/1.2/studies",
        "studies/1.2/series/3.4/series",
        "studies/1.2/frames/1",
        f"{SERIES}/frames/1",
        f"{INSTANCE}/frames/",
        f"{INSTANCE}/frames/1/../../file",
        f"{INSTANCE}/frames/all",
        f"{INSTANCE}/bulk/",
        f"{INSTANCE}/bulk/../x",
        f"{INSTANCE}/update",
        f"{STUDY}/retrieve",
        "studies/\N{ARABIC-INDIC DIGIT ONE}.2",
    ],
)
def test_no_other_path_is(path: str) -> None:
    assert Resource.of(path) is None
