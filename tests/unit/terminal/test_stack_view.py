"""What is shown of a running stack."""

from workers.terminal.stack_view import without_secrets


def test_a_state_without_secrets_has_none() -> None:
    state = {
        "orthanc": {"url": "u", "password": "p"},
        "gateway": {"url": "g"},
        "broker": {"url": "redis://:b@h"},
        "webhook_secret": "w",
        "data": "d",
    }
    assert without_secrets(state) == {"orthanc": {"url": "u"}, "gateway": {"url": "g"}, "data": "d"}
