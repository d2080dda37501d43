"""The studies of a patient, as the index has them; read in the caller's transaction."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import time
from typing import Any

from sqlalchemy import Connection, func, or_, select

from mskmodel.priors.examination import Examination, moment_of
from mskmodel.priors.picture import Picture
from workers.priors.errors import AmbiguousStudy, UnknownStudy
from workers.records.known_values import known_claims
from workers.records.schema import instances

__all__ = ["IndexedStudy", "PatientStudies", "also_of_others", "patient_studies"]

#: Most earlier studies of a patient that are looked at, and most pictures of all of them, the newest.
MOST_STUDIES, MOST_PICTURES = 100, 1000
#: Most pictures of the study itself.
MOST_OWN = 60
#: Modalities of series that are no pictures of a body (PS3.3 C.7.3.1.1.1).
_NO_PICTURES = frozenset({"AU", "DOC", "ECG", "FID", "HD", "KO", "PLAN", "PR", "REG", "SEG", "SR", "STAIN"}) | {
    "RTDOSE", "RTPLAN", "RTRECORD", "RTSTRUCT",
}  # fmt: skip


@dataclass(frozen=True)
class IndexedStudy:
    """A study in the index.

    ``study``: Orthanc's identifier. ``unread``: series, with their modalities, of which the index knows nothing more,
    such as those of CT and MR; their headers are with Orthanc.
    """

    study: str
    study_uid: str
    studied_at: str | None
    modalities: tuple[str, ...]
    pictures: tuple[Picture, ...] = ()
    unread: tuple[tuple[str, str], ...] = ()

    def examination(self, more: Iterable[Picture] = ()) -> Examination:
        """The examination, with further pictures."""
        return Examination.of(self.study, (*self.pictures, *more), moment_of(self.studied_at))


@dataclass(frozen=True)
class PatientStudies:
    """A study, and others of the same patient that are not later: the newest ones, the newest first."""

    current: IndexedStudy
    others: tuple[IndexedStudy, ...]


def patient_studies(connection: Connection, study: str) -> PatientStudies:
    """The study, by its Study Instance UID or Orthanc's identifier, and the others of its patient.

    The same patient is who has the same number, issued by the same: `Hierarchy` in `workers.records` says how files
    without either count.

    Raises:
        UnknownStudy: the index has no such study.
        AmbiguousStudy: studies of several patients have that Study Instance UID.
    """
    patient, issuer, identifier = _whose(connection, study)
    found = {one.study: one for one in _studies(connection, patient, issuer)}
    current = found.pop(identifier)
    end = _end_of_day(current)
    earlier = [one for one in found.values() if one.studied_at is None or end is None or one.studied_at <= end]
    newest = sorted(earlier, key=lambda one: (one.studied_at or "", one.study), reverse=True)[:MOST_STUDIES]
    (filled,) = _with_pictures(connection, [current], MOST_OWN)
    return PatientStudies(filled, tuple(_with_pictures(connection, newest, MOST_PICTURES)))


def also_of_others(connection: Connection, studies: Sequence[IndexedStudy]) -> set[str]:
    """Those of these Study Instance UIDs that studies of other patients have too."""
    uid, known = instances.c.study_uid, [one.study for one in studies]
    wanted = select(uid).where(uid.in_([one.study_uid for one in studies]), instances.c.study.not_in(known))
    return set(connection.scalars(wanted.distinct()))


def _whose(connection: Connection, study: str) -> tuple[str, str, str]:
    """Patient, issuer and Orthanc's identifier of the one study of that name."""
    columns = (instances.c.patient, instances.c.issuer, instances.c.study, instances.c.study_uid)
    wanted = select(*columns).where(or_(instances.c.study_uid == study, instances.c.study == study)).distinct()
    named = connection.execute(wanted).all()
    uids = {row.study_uid for row in named}
    if not named or uids == {None}:
        raise UnknownStudy
    same = select(instances.c.study).where(instances.c.study_uid.in_(uids)).distinct().limit(2)
    if len(list(connection.scalars(same))) > 1:
        raise AmbiguousStudy
    return named[0].patient, named[0].issuer or "", named[0].study


def _studies(connection: Connection, patient: str, issuer: str) -> list[IndexedStudy]:
    """All studies of the patient, without pictures."""
    columns = instances.c
    told = func.count(columns.truth) + func.count(columns.label) + func.count(columns.claims)
    wanted = (
        select(
            columns.study,
            columns.series,
            func.max(columns.study_uid).label("study_uid"),
            func.max(columns.studied_at).label("studied_at"),
            func.max(columns.modality).label("modality"),
            told.label("told"),
        )
        .where(columns.patient == patient, func.coalesce(columns.issuer, "") == issuer)
        .group_by(columns.study, columns.series)
    )
    found: dict[str, list[Any]] = {}
    for row in connection.execute(wanted):
        if row.study_uid:
            found.setdefault(row.study, []).append(row)
    return [_study(rows) for rows in found.values()]


def _study(rows: Sequence[Any]) -> IndexedStudy:
    modalities = {row.series: _modality(row.modality) for row in rows}
    unread = [(row.series, modalities[row.series]) for row in rows if not row.told]
    return IndexedStudy(
        rows[0].study,
        rows[0].study_uid,
        max((row.studied_at for row in rows if row.studied_at), default=None),
        tuple(sorted(set(modalities.values()) - {""} - _NO_PICTURES)),
        unread=tuple(one for one in unread if one[1] not in _NO_PICTURES),
    )


def _with_pictures(connection: Connection, studies: Sequence[IndexedStudy], most: int) -> list[IndexedStudy]:
    columns = instances.c
    told = ("sop_instance", "truth", "label", "region", "claims", "side", "modality")
    wanted = (
        select(columns.study, *(columns[name] for name in told))
        .where(columns.study.in_([one.study for one in studies]))
        .where(or_(columns.truth.is_not(None), columns.label.is_not(None), columns.claims.is_not(None)))
        .order_by(columns.studied_at.desc().nulls_last(), columns.study, columns.instance)
        .limit(most)
    )
    found: dict[str, list[Picture]] = {}
    for row in connection.execute(wanted):
        claims = known_claims(row.claims)
        seen = {"side": row.side or "", "region": "" if row.label else row.region or ""}
        modality = _modality(row.modality)
        picture = Picture.of(row.sop_instance or "", row.truth, row.label, claims, modality, **seen)
        found.setdefault(row.study, []).append(picture)
    return [replace(one, pictures=tuple(found.get(one.study, ()))) for one in studies]


def _modality(term: str | None) -> str:
    """`other` may be anything."""
    return "" if term in (None, "other") else str(term)


def _end_of_day(study: IndexedStudy) -> str | None:
    moment = moment_of(study.studied_at)
    return moment.combine(moment.date(), time.max).isoformat() if moment else None
