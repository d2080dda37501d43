"""What labels mean: the table that ships, and a site's own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from mskmodel.evidence.terms import REGION_TERMS, VIEW_TERMS
from mskmodel.labels import BY_KEY, KEYS, LABELS, SEVERAL_VIEWS, Label, known_labels, own_labels, parts_of
from mskmodel.phantoms import NAMES
from mskmodel.tables.problems import TableError


def test_there_are_thirteen_classes_in_a_fixed_order() -> None:
    assert (
        " ".join(KEYS) == "ankle_ap ankle_lateral elbow_ap elbow_lateral foot_ap foot_lateral hand_ap "
        "hand_lateral knee_ap knee_lateral pelvis_ap shoulder_ap shoulder_axillary"
    )


def test_a_label_is_found_by_its_key() -> None:
    assert BY_KEY["knee_lateral"].display == "Knee lateral"
    assert tuple(BY_KEY)[: len(KEYS)] == KEYS
    assert [label.key for label in LABELS] == list(KEYS)


@pytest.mark.parametrize(
    ("key", "anatomy", "view"),
    [
        ("ankle_ap", "70258002", "399348003"),
        ("elbow_lateral", "16953009", "399067008"),
        ("foot_ap", "56459004", "399348003"),
        ("hand_lateral", "85562004", "399067008"),
        ("knee_ap", "72696002", "399348003"),
        ("pelvis_ap", "816092008", "399348003"),
        ("shoulder_ap", "16982005", "399348003"),
    ],
)
def test_codes_are_the_snomed_ct_ones_of_the_standard(key: str, anatomy: str, view: str) -> None:
    label = BY_KEY[key]

    assert label.anatomy is not None
    assert label.view_code is not None
    assert (label.anatomy.value, label.anatomy.scheme_designator) == (anatomy, "SCT")
    assert (label.view_code.value, label.view_code.scheme_designator) == (view, "SCT")


@pytest.mark.parametrize("label", BY_KEY.values(), ids=lambda label: label.key)
def test_header_terms_are_legal_code_strings(label: Label) -> None:
    for term in (label.body_part, label.view_position):
        assert re.fullmatch(r"[A-Z0-9 _]{1,16}", term) or label.key == SEVERAL_VIEWS


@pytest.mark.parametrize("label", BY_KEY.values(), ids=lambda label: label.key)
def test_every_code_is_in_its_context_group_and_every_term_in_the_vocabulary(label: Label) -> None:
    for code, group in ((label.anatomy, codes.cid4009), (label.view_code, codes.cid4010)):
        assert code is None or code in [getattr(group, name) for name in group.dir()]
        assert code is None or code.scheme_designator == "SCT"
    assert label.region in REGION_TERMS or label.key == SEVERAL_VIEWS
    assert label.view in {*VIEW_TERMS, ""}
    assert (label.anatomy is None) == (label.key == SEVERAL_VIEWS)


def test_every_view_of_the_phantoms_has_a_row() -> None:
    assert set(NAMES) <= set(BY_KEY)


def test_region_and_view_together_tell_every_class_apart() -> None:
    assert len({(label.anatomy, label.view_code) for label in LABELS}) == len(LABELS)
    assert len({(label.body_part, label.view_position) for label in LABELS}) == len(LABELS)


def test_region_and_view_are_those_of_the_table_and_else_those_of_the_key() -> None:
    assert [parts_of(label.key) for label in LABELS] == [tuple(label.key.split("_")) for label in LABELS]
    assert parts_of("lower_leg") == ("lower_leg", "")
    assert parts_of("scapula_y") == ("shoulder", "scapular_y")
    assert parts_of(SEVERAL_VIEWS) == ("", "")
    assert parts_of("wrist_ap") == ("wrist", "ap")
    assert parts_of("lower_leg_ap") == ("lower_leg", "ap")
    assert parts_of("sesamoid") == ("sesamoid", "")


def test_a_site_adds_labels_by_data_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(
        "key;region;view;body_part;anatomy;view_code\n"
        "gonio;leg;ap;LEG;LowerLimb;AnteroPosterior\n"
        "heel_harris;calcaneus;axial;;99SITE 4711 Heel;\n"
    )

    monkeypatch.setenv("MSK_LABELS", str(path))

    assert parts_of("gonio") == ("leg", "ap")
    assert set(known_labels()) == {*BY_KEY, "gonio", "heel_harris"}
    assert known_labels()["gonio"].view_code == codes.cid4010.AnteroPosterior
    heel = known_labels()["heel_harris"]
    assert (heel.display, heel.anatomy, heel.view_code) == ("Heel harris", Code("4711", "99SITE", "Heel"), None)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("key\ngonio\n", "must name the columns key and region; it names no region"),
        ("key,region\nknee_ap,hip\n", "line 2: knee_ap is a key that the program has"),
        ("key,region\nlower_leg,hip\n", "line 2: lower_leg is a key that the program has"),
        ("key,region\ngonio,leg\ngonio,leg\n", "line 3: gonio has a line already"),
        ("key,region\nnone,leg\n", "line 2: a key has 1 to 60 letters, digits, _ and -, and is not none or other"),
        ("key,region\nleg long,leg\n", "line 2: a key has 1 to 60"),
        ("key,region\ngonio,Left Leg\n", "line 2: region has lower-case letters"),
        ("key,region,body_part\ngonio,leg,Bein\n", "line 2: body_part has capital letters"),
        ("key,region,anatomy\ngonio,leg,Leg\n", "line 2: anatomy is a name in CID4009 of pydicom"),
        ("key,region,view_code\ngonio,leg,SCT 1\n", "line 2: view_code is a name in CID4010 of pydicom"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_by_line(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(text)

    with pytest.raises(TableError, match=re.escape(reason)) as refusal:
        own_labels(path)
    assert str(path) in str(refusal.value)
