"""Outcomes as a label worker writes them."""

import json
from typing import Any

from tests.integration.records.conftest import Site
from workers.metadata.outcome import LABELLED, PREDICTION, Outcome

CLAIMS = {
    "claims": [{"field": "body part", "kind": "region", "terms": ["elbow"]}],
    "side": "L",
    "group": "0123456789ab",
}
PIXELS = {"elbow_lateral": 0.9, "knee_lateral": 0.06, "none": 0.04}


def label(site: Site, instance_id: str, **evidence: Any) -> None:
    """Write an outcome, with these further fields."""
    outcome = Outcome(LABELLED, "0" * 32, 1, label="elbow_lateral", confidence=0.9, model="20261128-0a1b2c3d")
    site.orthanc.put_metadata(instance_id, PREDICTION, json.dumps(json.loads(outcome.to_json()) | evidence))


def claims(*said: tuple[str, str, str]) -> dict[str, Any]:
    """Claims as JSON, each of field, kind and term."""
    named = [{"field": field, "kind": kind, "terms": [term]} for field, kind, term in said]
    return {"claims": named, "side": "", "group": ""}
