"""What counts as old: the sweep's rule and that of the plugin script in Orthanc, which have to agree."""

from datetime import UTC, date, datetime, timedelta

import pytest

from tests.plugin_script import load
from tests.unit.test_settings import WHOLE
from workers.reconciliation.age import AgeRule
from workers.settings import InvalidSetting, Settings

TODAY = date(2026, 3, 1)
#: The site's senders in the cases below.
SENDERS = {"MSK_BACKFILL_SENDERS": "MIGRATION, archive-import ,10.0.0.7", "MSK_NEW_SENDERS": "Prefetch,10.0.0.8"}
RECEIVED = {"ReceptionDate": f"{TODAY:%Y%m%d}T120000"}


def days_ago(days: int) -> str:
    return f"{TODAY - timedelta(days=days):%Y%m%d}"


def over_dicom(aet: str, address: str = "10.0.0.1") -> dict[str, str]:
    return {"Origin": "DicomProtocol", "RemoteAET": aet, "RemoteIP": address}


def over_http(user: str, address: str = "10.0.0.1") -> dict[str, str]:
    return {"Origin": "RestApi", "RemoteAET": "", "HttpUsername": user, "RemoteIP": address}


@pytest.mark.parametrize(
    ("study_date", "sender", "old"),
    [
        (days_ago(0), {}, False),
        (days_ago(30), {}, False),
        (days_ago(31), {}, True),
        ("19680229", {}, True),
        ("2025.12.24", {}, True),
        (" 20251224 ", {}, True),
        ("", {}, None),
        (" ", {}, None),
        (days_ago(-1), {}, None),
        ("99991231", {}, None),
        ("20250229", {}, None),
        ("00000000", {}, None),
        ("2025", {}, None),
        ("2025-12-24", {}, None),
        ("2025.1224", {}, None),
        ("20250101-20251224", {}, None),
        ("\uff12\uff10\uff12\uff10\uff10\uff11\uff10\uff11", {}, None),
        ("Christmas", {}, None),
        (days_ago(0), over_dicom("MIGRATION"), True),
        (days_ago(0), over_dicom(" migration "), True),
        (days_ago(0), over_dicom("MIGRATION2"), False),
        ("", over_dicom("MIGRATION"), True),
        (days_ago(0), over_dicom("CR1", "10.0.0.7"), True),
        (days_ago(0), over_http("archive-import"), True),
        (days_ago(0), over_http("msk"), False),
        (days_ago(0), over_http(""), False),
        (days_ago(0), {"Origin": "Plugins"}, False),
        (days_ago(4000), over_dicom("PREFETCH"), False),
        (days_ago(4000), over_http("prefetch"), False),
        ("", over_dicom("PREFETCH"), False),
        (days_ago(4000), over_dicom("MIGRATION", "10.0.0.8"), False),
        (days_ago(4000), over_dicom("PREFETCH", "10.0.0.7"), False),
    ],
)
def test_the_sweep_and_the_plugin_agree_on_what_is_old(
    monkeypatch: pytest.MonkeyPatch, study_date: str, sender: dict[str, str], old: bool | None
) -> None:
    script, logged = load(monkeypatch)
    in_orthanc, in_the_sweep = script.AgeRule(SENDERS), AgeRule.of(Settings.from_environment(WHOLE | SENDERS))
    assert in_the_sweep.is_old(study_date, sender | RECEIVED, TODAY) is old
    assert in_orthanc.is_old(study_date, sender | RECEIVED, TODAY) is bool(old)
    assert not [line for line in logged if "setting" in line]


def test_the_log_says_how_the_plugin_has_understood_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = load(monkeypatch)[0].AgeRule(SENDERS | {"MSK_OLD_AFTER_DAYS": "7"})
    assert str(rule) == (
        "old_after_days=7 backfill_senders=10.0.0.7,archive-import,migration new_senders=10.0.0.8,prefetch"
    )


@pytest.mark.parametrize(
    ("days", "age", "old"),
    [
        ("", 30, False),
        ("", 31, True),
        (" 7 ", 7, False),
        ("7", 8, True),
        ("0", 40_000, None),
        ("999999", 40_000, False),
    ],
)
def test_a_site_says_after_how_many_days_a_study_is_old(
    monkeypatch: pytest.MonkeyPatch, days: str, age: int, old: bool | None
) -> None:
    setting = {"MSK_OLD_AFTER_DAYS": days}
    in_the_sweep = AgeRule.of(Settings.from_environment(WHOLE | setting))
    assert in_the_sweep.is_old(days_ago(age), RECEIVED, TODAY) is old
    assert load(monkeypatch)[0].AgeRule(setting).is_old(days_ago(age), RECEIVED, TODAY) is bool(old)


@pytest.mark.parametrize("days", ["-1", "often", "7.5", "1e3"])
def test_a_number_of_days_that_is_none_stops_the_labeller_but_not_the_webhook(
    monkeypatch: pytest.MonkeyPatch, days: str
) -> None:
    with pytest.raises(InvalidSetting, match="MSK_OLD_AFTER_DAYS"):
        Settings.from_environment(WHOLE | {"MSK_OLD_AFTER_DAYS": days})
    script, logged = load(monkeypatch)
    rule = script.AgeRule({"MSK_OLD_AFTER_DAYS": days})
    assert "webhook.setting-ignored name=MSK_OLD_AFTER_DAYS default=30" in logged
    assert [rule.is_old(days_ago(age), {}, TODAY) for age in (30, 31)] == [False, True]


@pytest.mark.parametrize("sender", [{}, over_dicom("PREFETCH")])
def test_what_orthanc_has_held_for_long_is_old_for_the_sweep_whoever_sent_it(sender: dict[str, str]) -> None:
    rule = AgeRule.of(Settings.from_environment(WHOLE | SENDERS))
    received = datetime.combine(TODAY, datetime.min.time(), UTC) - timedelta(days=31)
    assert rule.is_old("", sender | {"ReceptionDate": f"{received:%Y%m%dT%H%M%S}"}, TODAY) is True
