"""Rows of the index, as the records' process writes them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, insert

from workers.records.schema import instances


def row(number: int, **columns: Any) -> dict[str, Any]:
    """A knee, of a study of its own."""
    return {
        "instance": f"instance-{number}",
        "series": f"series-{number}",
        "study": f"study-{number}",
        "patient": "anna",
        "study_uid": f"1.2.{number}",
        "series_uid": f"1.3.{number}",
        "sop_instance": f"1.4.{number}",
        "studied_at": "2026-11-28T09:00:00",
        "modality": "CR",
        "issuer": "",
        "stored_at": "2026-11-28T09:00:00+00:00",
        "updated_at": "2026-11-28T09:00:00+00:00",
        "label": "knee_ap",
    } | columns


def put(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Each by itself, since they name different columns."""
    for each in rows:
        connection.execute(insert(instances).values(each))
