"""What the words of hospitals mean."""

from __future__ import annotations

import csv
from importlib.resources import files

import pytest
from pydicom.sr.codedict import codes

from mskmodel.evidence.codes import meaning_of
from mskmodel.evidence.terms import REGION_TERMS, VIEW_TERMS
from mskmodel.evidence.vocabulary import TABLE, vocabulary
from mskmodel.labels import LABELS
from mskmodel.radiograph import HeaderCode

LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "nl", "pl", "tr")


def said(text: str) -> str:
    """Region, view and side, each joined by ``+``."""
    understood = vocabulary().understood(text)
    return " ".join("+".join(sorted(part)) or "-" for part in (understood.regions, understood.views, understood.sides))


def rows() -> list[dict[str, str]]:
    lines = files("mskmodel.evidence").joinpath(TABLE).read_text("utf-8").splitlines()
    return list(csv.DictReader(lines))


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("OSG", "ankle - -"),
        ("Sprgel. li. a.p.", "ankle ap L"),
        ("Kniegel. re. seitl.", "knee lateral R"),
        ("Ellenbogen seitlich", "elbow lateral -"),
        ("Hüfte", "hip - -"),
        ("HUEFTE LINKS", "hip - L"),
        ("Fuß dorsoplantar", "foot ap -"),
        ("Hand dp bds.", "hand ap B"),
        ("Knie 2 Ebenen", "knee ap+lateral -"),
        ("Vorfuß schräg", "foot oblique -"),
        ("Schulter axial", "shoulder axillary -"),
        ("Patella axial", "patella skyline -"),
        ("Knie axial", "knee skyline -"),
        ("Ferse axial", "calcaneus axial -"),
        ("RTG stawu biodrowego AP i osiowe", "hip ap+axial -"),
        ("hombro axilar axial", "shoulder axillary -"),
        ("genou droit F/P", "knee ap+lateral R"),
        ("Main gauche face", "hand ap L"),
        ("coude 2 plans", "elbow ap+lateral -"),
        ("cheville profil", "ankle lateral -"),
        ("pied 3/4", "foot oblique -"),
        ("spalla dx", "shoulder - R"),
        ("ginocchio sx 2 proiezioni", "knee ap+lateral L"),
        ("rodilla izquierda AP y lateral", "knee ap+lateral L"),
        ("RX pie derecho", "foot - R"),
        ("tornozelo esq. perfil", "ankle lateral L"),
        ("pé direito AP", "foot ap R"),
        ("enkel links voorachterwaarts", "ankle ap L"),
        ("heup re.", "hip - R"),
        ("RTG stawu kolanowego lewego AP i boczne", "knee ap+lateral L"),
        ("kolano prawe", "knee - R"),
        ("Sağ el bileği AP", "wrist ap R"),
        ("sol ayak bileği yan", "ankle lateral L"),
        ("omuz", "shoulder - -"),
        ("diz 2 yön", "knee ap+lateral -"),
        ("elbow 2 views", "elbow ap+lateral -"),
        ("elbow 1-2 views", "elbow - -"),
        ("2V", "- ap+lateral -"),
        ("Scapular Y-view", "shoulder scapular_y -"),
        ("Ankle mortise", "ankle oblique -"),
        ("Knee Rosenberg", "knee ap -"),
        ("Pelvis frog leg", "pelvis frog_leg -"),
        ("pelvis inlet/outlet", "pelvis inlet+outlet -"),
        ("L-Spine lat", "lumbar_spine lateral -"),
        ("XR LWR EXT KNEE LT", "knee - L"),
        ("KneeAP", "knee ap -"),
        ("LEFTHAND", "hand - L"),
        ("Handgelenkseitlich", "wrist lateral -"),
        ("HWSap", "cervical_spine ap -"),
    ],
)
def test_what_hospitals_write_in_many_languages(text: str, meaning: str) -> None:
    assert said(text) == meaning


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("behandelt", "- - -"),
        ("unterhand", "- - -"),
        ("Handlung", "- - -"),
        ("Behandlung Handchirurgie", "- - -"),
        ("forefoot", "foot - -"),
        ("forearm", "forearm - -"),
        ("Unterarm", "forearm - -"),
        ("Unterschenkel", "lower_leg - -"),
        ("lower leg", "lower_leg - -"),
        ("leg", "leg - -"),
        ("Unterarm ohne Handgelenk", "forearm - -"),
        ("knee w/o patella", "knee - -"),
        ("contralateral", "- - -"),
        ("lateral malleolus", "ankle - -"),
        ("bilat knees", "knee - B"),
        ("tórax de pie", "chest - -"),
        ("el codo derecho", "elbow - R"),
        ("main campus", "- - -"),
        ("R/O fracture", "- - -"),
        ("3D", "- - -"),
        ("carpal tunnel", "wrist special -"),
        ("faux profil", "- special -"),
        ("radiographie de l'épaule droite", "shoulder - R"),
        ("DX Hand", "hand - -"),
        ("AP OBL LAT", "- ap+lateral+oblique -"),
        ("AP oblique", "- oblique -"),
    ],
)
def test_words_that_only_look_like_others(text: str, meaning: str) -> None:
    assert said(text) == meaning


@pytest.mark.parametrize(
    "text", ["DOE^JOHN", "Li Wei", "Rosenberg, Anna", "HARRIS^D", "Sol Garcia", "MÜLLER^KARIN 1970-01-31", "Tang Wei"]
)
def test_names_claim_no_region_and_no_view(text: str) -> None:
    understood = vocabulary().understood(text)

    assert not understood.regions
    assert not understood.views


@pytest.mark.parametrize("label", LABELS, ids=str)
def test_what_this_project_itself_writes_is_understood(label: object) -> None:
    region, view = label.key.split("_")  # type: ignore[attr-defined]

    assert said(label.body_part) == f"{region} - -"  # type: ignore[attr-defined]
    assert said(label.display) == f"{region} {view} -"  # type: ignore[attr-defined]
    anatomy = HeaderCode(*label.anatomy[:2])  # type: ignore[attr-defined]
    assert vocabulary().understood(meaning_of(anatomy)).regions == {region}


@pytest.mark.parametrize(
    ("value", "scheme", "meaning"),
    [
        ("72696002", "SCT", "knee - -"),
        ("T-D9200", "SRT", "knee - -"),
        ("T-D9200", "99SITE", "- - -"),
        (codes.cid4009.AnkleJoint.value, "SCT", "ankle - -"),
        (codes.cid4009.WristJoint.value, "SCT", "wrist - -"),
        (codes.cid4010.AnteroPosteriorOblique.value, "SCT", "- oblique -"),
        (codes.cid4010.LateroMedialOblique.value, "SCT", "- oblique -"),
        (codes.cid4010.MedioLateralProjection.value, "SCT", "- lateral -"),
        (codes.cid4010.Dorsoplantar.value, "SCT", "- ap -"),
    ],
)
def test_codes_mean_what_the_standard_calls_them(value: str, scheme: str, meaning: str) -> None:
    assert said(meaning_of(HeaderCode(value, scheme))) == meaning


def test_every_row_of_the_table_means_known_terms_and_has_a_source() -> None:
    known = {"region": set(REGION_TERMS), "view": set(VIEW_TERMS), "side": {"R", "L", "B"}}
    spoken = set()
    for row in rows():
        spoken.update(row["language"].split())
        assert row["source"] and row["sure"] in ("yes", "no"), row
        if row["kind"] == "several":
            pairs = [term.split(":") for term in row["meaning"].split()]
            assert pairs and all(term in known[kind] for kind, term in pairs), row
        elif row["kind"] in known:
            assert row["meaning"] and set(row["meaning"].split()) <= known[row["kind"]], row
        else:
            assert row["kind"] in ("nothing", "negation") and not row["meaning"], row
    assert spoken == {*LANGUAGES, "mul", "la", "dicom", "name"}


def test_every_sure_word_alone_says_what_its_row_says() -> None:
    for row in rows():
        if row["kind"] in ("region", "view") and row["sure"] == "yes":
            understood = vocabulary().understood(row["word"])
            terms = understood.regions if row["kind"] == "region" else understood.views
            assert terms >= set(row["meaning"].split()), row


def test_only_the_beginning_of_an_endless_text_is_looked_at() -> None:
    assert said("word " * 60 + "knee") == "knee - -"
    assert said("word " * 100_000 + "knee") == "- - -"
    assert said("kneeap" * 10_000) == "- - -"
