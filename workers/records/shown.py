"""What instances show, by the UIDs of DICOM: read from the index, in the caller's transaction."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, and_, func, or_, select

from workers.records.schema import instances

__all__ = ["Shown", "Wanted", "shown_by", "uids_showing"]

#: UIDs in one statement.
BATCH = 500


@dataclass(frozen=True)
class Shown:
    """What one instance shows, or several of which the same is said."""

    label: str
    """What a person said, else the model's label; "" where there is none."""
    side: str = ""
    """R, L or B, by a person, else by the header; "" for unknown."""
    modality: str = ""
    by: str = ""
    """Version of the model that gave the label; "" for a person."""
    since: str = ""
    """When it was said, or told to the index, last: ISO 8601, UTC."""


@dataclass(frozen=True)
class Wanted:
    """What instances that are looked for show: one of these labels, of this side, on a CR or on anything else."""

    labels: frozenset[str]
    side: str
    is_cr: bool


def shown_by(connection: Connection, column: str, uids: Collection[str]) -> dict[str, list[Shown]]:
    """What the instances of each of these studies, series or instances show, each thing once.

    ``column``: `study_uid`, `series_uid` or `sop_instance`. What the index does not have is left out.
    """
    uid, wanted = instances.c[column], list(uids)
    by = [uid, *(instances.c[name] for name in ("shown", "side", "modality", "model", "truth"))]
    since = func.max(func.coalesce(instances.c.labelled_at, instances.c.updated_at)).label("since")
    found: dict[str, list[Shown]] = {}
    for start in range(0, len(wanted), BATCH):
        is_one = uid.in_(wanted[start : start + BATCH])
        for row in connection.execute(select(*by, since).where(is_one).group_by(*by).order_by(*by)).mappings():
            found.setdefault(row[column], []).append(_shown(row))
    return found


def uids_showing(
    connection: Connection,
    column: str,
    wanted: Sequence[Wanted],
    within: Mapping[str, Collection[str]],
    after: str,
    limit: int,
) -> list[str]:
    """The next studies, series or instances of which an instance shows one of these, in the order of their UIDs.

    Args:
        column: as in `shown_by`.
        within: by the name of such a column, the UIDs that it may have.
        after: the last UID of those before, "" at the start.
    """
    uid = instances.c[column]
    conditions = [instances.c[name].in_(allowed) for name, allowed in within.items()]
    some = select(uid).where(uid > after, or_(*map(_shows, wanted)), *conditions)
    return list(connection.scalars(some.distinct().order_by(uid).limit(limit)))


def _shown(row: Mapping[Any, Any]) -> Shown:
    label, modality = row["shown"] or "", row["modality"] or ""
    if not label:
        return Shown("", modality=modality)
    return Shown(label, row["side"] or "", modality, "" if row["truth"] else row["model"] or "", row["since"])


def _shows(wanted: Wanted) -> ColumnElement[bool]:
    is_cr = _text(instances.c.modality) == "CR"
    side = _text(instances.c.side) == wanted.side
    return and_(instances.c.shown.in_(wanted.labels), side, is_cr if wanted.is_cr else ~is_cr)


def _text(column: Column[Any]) -> ColumnElement[str]:
    return func.coalesce(column, "")
