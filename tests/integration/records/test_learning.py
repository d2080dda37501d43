"""What the headers are worth is learned from the index, kept, and published; the secret outlives the broker."""

import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from mskmodel.dicom.reading import read_radiograph
from mskmodel.dicom.writing import Header, radiograph_dataset
from mskmodel.evidence.claim import Claim, claims_of
from mskmodel.evidence.hypotheses import Hypotheses
from mskmodel.evidence.reliability import PRIOR
from mskmodel.radiograph import HeaderTexts
from tests.integration.records.conftest import Site
from tests.integration.records.outcomes import PIXELS, claims, label
from tests.waiting import until
from workers.evidence.published import KEY, Publication, Published, publish
from workers.evidence.secret import KEY as SECRET
from workers.evidence.secret import site_secret
from workers.records.following import Follower
from workers.records.learning import Learner, learn
from workers.records.schema import migrate, tables

CODE, RARE = "#0123456789ab", "#ba9876543210"


def label_seven_patients(site: Site) -> list[str]:
    """Elbows of seven patients, on whose headers stands the site's own code; that of one has another one too."""
    stored = []
    for number in range(7):
        stored += site.store("a", study=f"s{number}", patient=f"P-{number}")
        said = [("protocol", "region", CODE), ("body part", "region", "chest")]
        label(site, stored[-1], pixels=PIXELS, claims=claims(*said, *[("protocol", "region", RARE)] * (number == 0)))
    return stored


def publication(site: Site) -> Publication:
    """What a label worker reads now."""
    return Published(site.broker).latest()


def test_a_code_comes_to_mean_what_it_goes_with_and_a_rare_one_is_not_kept(site: Site) -> None:
    stored = label_seven_patients(site)
    with site.engine.connect() as connection:
        migrate(connection)
        follower = Follower(connection, site.orthanc, b"k" * 32)
        while follower.step().position.hurried:
            pass
        found = learn(site.engine)
    hypotheses = Hypotheses.of(("elbow_lateral", "knee_lateral"))
    likely = found.reliability.likelihood(Claim("protocol", "region", (CODE,)), "", hypotheses)
    assert likely[hypotheses.regions.index("elbow")] > 2 * likely[hypotheses.regions.index("knee")]
    assert found.examples.keys() == {CODE} and found.examples[CODE] in stored
    assert RARE not in json.dumps(found.to_json())
    plain = json.loads(json.dumps(found.to_json()))
    assert Publication.from_json(plain).to_json() == plain


def test_it_is_published_and_published_again_to_a_broker_that_has_lost_it(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    label_seven_patients(site)
    assert publication(site).reliability.to_json() == PRIOR.to_json()
    with site.engine.connect() as connection:
        migrate(connection)
        learner = Learner(connection, site.broker)
        follower = Follower(connection, site.orthanc, b"k" * 32)
        with_claims = 0
        while (step := follower.step()).position.hurried:
            with_claims += step.with_claims
        learner.step(with_claims)
        assert publication(site).time == ""  # not so soon
        monkeypatch.setattr("workers.records.learning.ENOUGH", 7)
        monkeypatch.setattr(learner, "_pause", 0)
        learner.step(0)
        first = publication(site)
        assert first.reliability.observations == 7 == with_claims
        site.broker.delete(KEY)
        learner.publish_again()
        assert publication(site).to_json() == first.to_json()


def test_what_cannot_be_read_is_the_prior(site: Site) -> None:
    for text in ("", "[]", "{}", '{"schema": 99}', '{"schema": 1, "time": "", "examples": {}, "reliability": {}}'):
        site.broker.set(KEY, text)
        assert publication(site) == Publication()


def test_the_secret_outlives_the_broker(site: Site) -> None:
    made = site_secret(site.broker)
    assert site_secret(site.broker) == made and len(made) == 32
    stored = site.store("a")
    with site.keeping():
        until(lambda: site.shows(stored))
        before = site.rows()
        site.broker.flushall()
        assert site_secret(site.broker) != made  # a label worker was there first
        until(lambda: site_secret(site.broker) == made)
    site.broker.delete(SECRET)
    assert site.msk("records", "rebuild").returncode == 0
    assert site_secret(site.broker) == made and site.rows() == before


def test_people_see_what_was_learned_and_what_a_code_stands_for(site: Site) -> None:
    secret = site_secret(site.broker)
    code = claims_of(HeaderTexts(protocols=("Q7XW",)), secret).claims[0].terms[0]
    for number in range(6):
        ds = radiograph_dataset(
            np.zeros((8, 8), np.uint16),
            header=Header(identity=f"k-{number}", study=f"k-{number}", patient_id=f"K-{number}"),
            bits=12,
        )
        ds.ProtocolName = "q7xw" if number % 2 else "Q7XW"
        file = BytesIO()
        ds.save_as(file, enforce_file_format=True)
        found = claims_of(read_radiograph(file.getvalue()).texts, secret)
        assert code in [term for claim in found.claims for term in claim.terms]
        said = claims(("protocol", "region", code), ("body part", "region", "elbow")) | {"group": found.group}
        label(site, site.orthanc.upload(file.getvalue()), pixels=PIXELS, claims=said)
    assert "nothing has been learned yet" in site.msk("evidence", "show").stdout
    with site.engine.connect() as connection:
        migrate(connection)
        follower = Follower(connection, site.orthanc, secret)
        while follower.step().position.hurried:
            pass
        publish(site.broker, learn(site.engine))
    shown = site.msk("evidence", "show").stdout
    assert code in shown and "elbow" in shown and "Q7XW" not in shown.upper()
    found = json.loads(site.msk("evidence", "show", "--words", "--json").stdout)
    assert found["words"].keys() == {code} and found["words"][code].upper() == "Q7XW"
    (protocol,) = [field for field in found["fields"] if field["field"] == "protocol"]
    assert protocol["seen"] == 6 and next(iter(protocol["terms"][0]["goes_with"])) == "elbow"
    assert found["radiographs"] == 6
    assert "Q7XW" not in kept(site).upper()


def kept(site: Site) -> str:
    """All that stands in the database and in the broker, as text."""
    texts = [site.broker.get(key) for key in site.broker.scan_iter()]
    if "://" in site.place:
        with site.engine.begin() as connection:
            texts += [str(connection.execute(select(table)).all()) for table in tables.sorted_tables]
    else:
        texts += [file.read_bytes().decode("latin-1") for file in Path(site.place).iterdir()]
    return "".join(texts)


def test_a_name_in_a_header_leaves_no_trace(site: Site) -> None:
    """Not even where the metadata hold it, as no label worker writes them."""
    hostile = {"claims": [{"field": "protocol", "kind": "region", "terms": ["Quincy^Anna"]}], "side": "", "group": ""}
    wrong = [
        {"claims": hostile},
        {"claims": claims(("Quincy", "region", "elbow"))},
        {"claims": claims(("protocol", "region", "elbow")) | {"side": "Quincy"}},
        {"claims": claims(("protocol", "region", "elbow")) | {"group": "Quincy"}},
        {"pixels": {"Quincy Anna": 0.5, "none": 0.5}, "claims": claims(("protocol", "region", "elbow"))},
        {"label": "Quincy Anna", "model": "Quincy Anna", "attachment_md5": "Quincy\0Anna", "reason": "Quincy"},
        {"header": {"body_part": "Quincy"}, "note": "Quincy", "study": "Quincy", "disagreement": "Quincy"},
        {"pixels": ["Quincy"], "claims": "Quincy", "confidence": 1e999},
    ]
    stored = site.store(*map(str, range(len(wrong))), patient="Quincy^Anna")
    for instance_id, fields in zip(stored, wrong, strict=True):
        label(site, instance_id, **fields)
    with site.keeping() as process:
        until(lambda: site.shows(stored))
        everything = kept(site)
        process.terminate()
        assert process.stderr is not None
        everything += process.stderr.read()
    assert stored[0] in everything
    assert "quincy" not in everything.casefold() and "anna" not in everything.casefold()
    rows = site.rows()
    assert all(row["claims"] is None for row in (rows[stored[number]] for number in (0, 1, 2, 3, 7)))
    assert rows[stored[4]]["pixels"] is None and rows[stored[5]]["label"] is None
    assert all(rows[instance_id]["status"] in ("labelled", None) for instance_id in stored)
