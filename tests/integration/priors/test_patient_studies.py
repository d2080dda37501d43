"""Candidates by the index: whose, which, how many; on rows as the records' process writes them."""

import pytest
from sqlalchemy import Connection, event

from tests.index_rows import put, row
from workers.priors.errors import AmbiguousStudy, UnknownStudy
from workers.priors.patient_studies import MOST_OWN, MOST_PICTURES, MOST_STUDIES, also_of_others, patient_studies


def others(connection: Connection, study: str = "1.2.0") -> list[str]:
    return [one.study_uid for one in patient_studies(connection, study).others]


def test_the_same_patient_has_the_same_number_and_issuer(connection: Connection) -> None:
    put(connection, [row(0), row(1), row(2, patient="berta"), row(3, issuer="clinic"), row(4, issuer="clinic")])
    assert others(connection) == ["1.2.1"]
    assert others(connection, "1.2.3") == ["1.2.4"]
    assert others(connection, "study-3") == ["1.2.4"], "Orthanc's identifier names it too"
    put(connection, [row(5, issuer=None)])  # a row of before there were issuers
    assert others(connection) == ["1.2.5", "1.2.1"]


def test_what_is_later_is_no_candidate(connection: Connection) -> None:
    dates = ["2026-11-28", "2026-11-28T23:00:00", "2026-11-29", "9999-12-31T23:59:59", "2020-01-01", "0001-01-01", None]
    put(connection, [row(0), *(row(n, studied_at=date) for n, date in enumerate(dates, 1))])
    assert others(connection) == ["1.2.2", "1.2.1", "1.2.5", "1.2.6", "1.2.7"], "the newest first, no date last"


def test_of_a_study_without_a_date_any_other_may_be_a_prior(connection: Connection) -> None:
    put(connection, [row(0, studied_at=None), row(1, studied_at="9999-01-01"), row(2)])
    assert others(connection) == ["1.2.1", "1.2.2"]


def test_a_uid_of_two_patients_is_refused_and_no_prior(connection: Connection) -> None:
    put(connection, [row(0), row(1), row(2), row(3, study_uid="1.2.1", patient="berta")])
    for name in ("1.2.1", "study-1", "study-3"):
        with pytest.raises(AmbiguousStudy):
            patient_studies(connection, name)
    found = patient_studies(connection, "1.2.0").others
    assert also_of_others(connection, found) == {"1.2.1"}


@pytest.mark.parametrize("name", ["1.2.9", "", "None", "' OR 1=1 --"])
def test_a_study_that_the_index_does_not_know_is_said(connection: Connection, name: str) -> None:
    put(connection, [row(0), row(1, study_uid=None)])
    with pytest.raises(UnknownStudy):
        patient_studies(connection, name)
    with pytest.raises(UnknownStudy):
        patient_studies(connection, "study-1")
    assert others(connection) == [], "what has no UID cannot be asked for"


def test_the_newest_of_very_many_studies_are_looked_at(connection: Connection) -> None:
    rows = [row(n, studied_at=f"{2020 - n // 12:04d}-{12 - n % 12:02d}-01") for n in range(501)]
    put(connection, rows)
    with counted(connection) as statements:
        found = patient_studies(connection, "1.2.0")
    assert [one.study_uid for one in found.others] == [f"1.2.{n}" for n in range(1, MOST_STUDIES + 1)]
    assert all(one.pictures for one in found.others)
    assert len(statements) == 5, "however many studies there are"


def test_of_studies_with_very_many_pictures_the_newest_are_read_to_a_bound(connection: Connection) -> None:
    own, old = ({"study": f"study-{name}", "study_uid": f"1.2.{name}", "series": f"series-{name}"} for name in (0, 1))
    put(connection, [row(n, **own) for n in range(MOST_OWN + 10)])
    put(connection, [row(n, **old, studied_at="2020-01-01") for n in range(1000, 1000 + MOST_PICTURES)])
    put(connection, [row(n, studied_at="2021-01-01") for n in range(5000, 5010)])
    found = patient_studies(connection, "1.2.0")
    assert len(found.current.pictures) == MOST_OWN
    assert [len(one.pictures) for one in found.others] == [1] * 10 + [MOST_PICTURES - 10]


def test_series_of_which_nothing_is_known_are_named_and_reports_are_not(connection: Connection) -> None:
    same = {"study": "study-1", "study_uid": "1.2.1", "label": None}
    mixed = [row(n, **same, modality=term) for n, term in enumerate(("CT", "SR", "other", "KO"), 1)]
    put(connection, [row(0), *mixed, row(5, **same | {"label": "knee_ap"})])
    (found,) = patient_studies(connection, "1.2.0").others
    assert sorted(found.unread) == [("series-1", "CT"), ("series-3", "")]
    assert found.modalities == ("CR", "CT")
    assert [picture.name for picture in found.pictures] == ["1.4.5"]


def test_claims_that_are_none_are_left_out(connection: Connection) -> None:
    claims = {"claims": [{"field": "body part", "kind": "region", "terms": ["knee"]}], "side": "L", "group": ""}
    odd: list[object] = [claims, {"claims": "Meier"}, {"claims": [], "side": "Meier", "group": ""}, [1]]
    put(connection, [row(n, label=None, claims=each) for n, each in enumerate(odd)])
    found = patient_studies(connection, "1.2.0")
    assert found.current.pictures[0].regions == ("knee",)
    assert [picture.regions for one in found.others for picture in one.pictures] == [(), (), ()]


class counted:  # noqa: N801  (a context manager)
    """The statements that a connection is given within the block."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._statements = connection, list[str]()

    def _count(self, _c: object, _cursor: object, statement: str, *_: object) -> None:
        self._statements.append(statement)

    def __enter__(self) -> list[str]:
        event.listen(self._connection, "before_cursor_execute", self._count)
        return self._statements

    def __exit__(self, *_: object) -> None:
        event.remove(self._connection, "before_cursor_execute", self._count)
