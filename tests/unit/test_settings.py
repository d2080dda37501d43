"""What stands in the environment is looked at before anything is done with it."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from workers.cli import main
from workers.settings import InvalidSetting, MissingSetting, Settings

WHOLE = {
    "MSK_ORTHANC_URL": "http://pacs:8042",
    "MSK_ORTHANC_USER": "msk",
    "MSK_ORTHANC_PASSWORD": "very-secret",
    "MSK_BROKER_URL": "redis://:very-secret@broker:6379/0",
    "MSK_WEBHOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
}
ORTHANC = ("MSK_ORTHANC_URL", "localhost:8042", "is 'localhost:8042', and should be an address like http://pacs:8042")
BROKER = (
    "MSK_BROKER_URL",
    ":very-secret@broker:6379",
    "cannot be used, and should be an address like redis://:password@broker:6379/0",
)
COMMANDS = (
    "audit",
    "export --all --folder copies",
    "gateway",
    "jobs list",
    "jobs show a",
    "jobs submit",
    "jobs suggest 3",
    "relabel --older",
    "results write --all",
    "truth export a.csv",
    "truth show a",
    "worker --queues label",
    "worker --queues maintenance --beat",
    "worker --queues train",
)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(("name", "value", "shown"), [ORTHANC, BROKER])
def test_an_address_that_is_none_ends_every_command_in_one_line(
    command: str, name: str, value: str, shown: str
) -> None:
    result = CliRunner().invoke(main, command.split(), env=WHOLE | {name: value})
    assert result.output == f"Error: the environment variable {name} {shown}\n"
    assert result.exit_code == 1


def test_the_doctor_names_it_among_what_else_is_missing() -> None:
    result = CliRunner().invoke(main, ["doctor"], env=WHOLE | {ORTHANC[0]: ORTHANC[1]})
    assert f"✗ Settings: the environment variable {ORTHANC[0]} {ORTHANC[2]}" in result.output
    assert result.exit_code == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MSK_ORTHANC_URL", "pacs"),
        ("MSK_ORTHANC_URL", "http:pacs:8042"),
        ("MSK_RADIOGRAPHS", "CR, MR"),
        ("MSK_RADIOGRAPHS", ","),
        ("MSK_RESULTS", "all"),
        ("MSK_ORTHANC_URL", "http://:8042"),
        ("MSK_ORTHANC_URL", "http://pacs:eight"),
        ("MSK_ORTHANC_URL", "http://pacs:80420"),
        ("MSK_ORTHANC_URL", "http://[pacs"),
        ("MSK_ORTHANC_URL", "redis://pacs:8042"),
        ("MSK_BROKER_URL", "http://broker:6379"),
        ("MSK_BROKER_URL", "redis://:very-secret@broker:port/0"),
        ("MSK_BROKER_URL", "redis://broker:6379/zero"),
        ("MSK_BROKER_URL", "broker?password=very-secret"),
        ("MSK_BROKER_URL", "redis://:very-secret"),
        ("MSK_BROKER_URL", "redis://user:very-secret/0"),
        ("MSK_BROKER_URL", "redis://:very-secret#x"),
        ("MSK_ORTHANC_URL", "ftp://user:very-secret@pacs:8042"),
        ("MSK_BROKER_URL", "redis://user:123#very-secret@broker:6379/0"),
        ("MSK_BROKER_URL", "redis://a:6379,b:6379/0"),
        ("MSK_BROKER_URL", "rediss://:very-secret@broker/0?ssl_cert_reqs=none"),
        ("MSK_BROKER_URL", "redis://:very-secret@broker/0?ssl_certfile=/a.pem"),
        ("MSK_BROKER_URL", "sentinel://:very-secret@a:26379,b:26379"),
        ("MSK_BROKER_URL", "sentinel://:very-secret@a:26379,b:26379/hospital/zero"),
        ("MSK_BROKER_URL", "sentinel://:very-secret@a:26379,,b/hospital"),
        ("MSK_BROKER_URL", "sentinel://a:26379;sentinel://:very-secret@b:26379/hospital"),
        ("MSK_KEY_PREFIX", "msk:"),
        ("MSK_KEY_PREFIX", "site*"),
        ("MSK_KEY_PREFIX", "two words:"),
        ("MSK_CA_FILE", "/nowhere/ca.pem"),
        ("MSK_CA_FILE", "/etc/passwd"),
        ("MSK_CA_FILE", "/etc"),
        ("MSK_TLS_VERIFY", "perhaps"),
        ("MSK_SWEEP_SECONDS", "often"),
        ("MSK_SWEEP_SECONDS", "0"),
        ("MSK_SWEEP_SECONDS", "nan"),
        ("MSK_SWEEP_SECONDS", "inf"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name_and_without_its_password(name: str, value: str) -> None:
    with pytest.raises(InvalidSetting, match=name) as refused:
        Settings.from_environment(WHOLE | {name: value})
    assert "very-secret" not in str(refused.value)
    assert not str(refused.value).endswith("None")


@pytest.mark.parametrize("url", ["https://u:p@pacs/orthanc/", "http://[::1]:8042", "http://10.0.0.1"])
def test_an_address_of_any_form_is_taken(url: str) -> None:
    assert Settings.from_environment(WHOLE | {"MSK_ORTHANC_URL": url}).orthanc_url == url


def test_an_empty_variable_counts_as_not_set() -> None:
    settings = Settings.from_environment(WHOLE | {"MSK_DEVICE": "", "MSK_MODELS": "", "MSK_SWEEP_SECONDS": ""})
    assert (settings.device, settings.models, settings.sweep_seconds) == ("auto", None, 15.0)
    with pytest.raises(MissingSetting, match="MSK_ORTHANC_USER"):
        Settings.from_environment(WHOLE | {"MSK_ORTHANC_USER": ""})


def test_secrets_are_hidden_in_the_repr() -> None:
    settings = Settings.from_environment(WHOLE | {"MSK_API_TOKEN": "very-secret"})
    assert "http://pacs:8042" in repr(settings)
    assert not [secret for secret in ("very-secret", "whsec_") if secret in repr(settings)]


@pytest.mark.parametrize("secret", ["rubbish", "whsec_", "whsec_c2hvcnQ=", "whsec_not base64 at all, but long enough"])
def test_a_secret_that_signs_no_webhook_is_refused_and_not_shown(secret: str) -> None:
    with pytest.raises(InvalidSetting) as refused:
        Settings.from_environment(WHOLE | {"MSK_WEBHOOK_SECRET": secret})
    expected = "MSK_WEBHOOK_SECRET cannot be used, and should be whsec_ and the base64 of 24 bytes or more"
    assert str(refused.value) == f"the environment variable {expected}"


def test_a_table_of_labels_that_cannot_be_used_ends_a_process_at_its_start(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("key,region\nknee_ap,hip\n")

    result = CliRunner().invoke(main, ["audit"], env=WHOLE | {"MSK_LABELS": str(path)})

    assert result.output == (
        f"Error: the environment variable MSK_LABELS is '{path}', and should be a table of labels: "
        f"the labels in {path} cannot be used: line 2: knee_ap is a key that the program has; choose another one\n"
    )
    assert result.exit_code == 1


def test_a_table_of_neighbours_that_cannot_be_used_ends_a_process_at_its_start(tmp_path: Path) -> None:
    path = tmp_path / "neighbours.csv"
    path.write_text("region,neighbour,weight\nfoot,knee,2\n")

    result = CliRunner().invoke(main, ["audit"], env=WHOLE | {"MSK_NEIGHBOURS": str(path)})

    assert result.output == (
        f"Error: the environment variable MSK_NEIGHBOURS is '{path}', and should be a table of neighbours: "
        f"the neighbours in {path} cannot be used: line 2: weight is a number from 0 to 1\n"
    )
    assert result.exit_code == 1
