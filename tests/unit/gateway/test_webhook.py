"""The webhook's protocol: what is accepted, and what is not."""

import json
from datetime import timedelta

import pytest

from tests.deliveries import BODY, INSTANCE, SECRET, signed
from workers.gateway.webhook import DeletedInstance, InvalidSignature, MalformedEvent, parse, verify


def test_a_signed_event_is_accepted() -> None:
    verify(SECRET, signed(), BODY)
    assert parse(BODY).instance == INSTANCE


@pytest.mark.parametrize(
    "headers",
    [
        {},
        signed() | {"webhook-signature": "v1"},
        signed() | {"webhook-signature": "v1,not base64!"},
        signed() | {"webhook-signature": "v2,AAAA"},
        signed() | {"webhook-timestamp": "yesterday"},
        signed() | {"Webhook-Id": "event-2"},
        signed(age=timedelta(hours=1)),
        signed(age=-timedelta(hours=1)),
        signed(secret="whsec_" + "A" * 32),
    ],
)
def test_anything_else_about_the_signature_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(InvalidSignature):
        verify(SECRET, headers, BODY)


@pytest.mark.parametrize("body", [BODY + b" ", b"\xff\xfe" + BODY, b""])
def test_a_body_that_was_not_signed_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidSignature):
        verify(SECRET, signed(), body)


@pytest.mark.parametrize(
    ("said", "old"),
    [
        ({}, False),
        ({"old": False}, False),
        ({"old": True}, True),
        ({"old": None}, False),
        ({"old": "true"}, False),
        ({"old": 1}, False),
        ({"old": []}, False),
    ],
)
def test_only_what_is_said_to_be_old_is_made_to_wait(said: dict[str, object], old: bool) -> None:
    event = {"type": "instance.stored", "data": {"instance": INSTANCE} | said}
    assert parse(json.dumps(event).encode()).old is old


def test_a_deletion_is_another_event() -> None:
    event = {"type": "instance.deleted", "data": {"instance": INSTANCE}}
    assert parse(json.dumps(event).encode()) == DeletedInstance(INSTANCE)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'{"type": "instance.seen", "data": {"instance": "' + INSTANCE.encode() + b'"}}',
        b'{"type": ["instance.deleted"], "data": {"instance": "' + INSTANCE.encode() + b'"}}',
        b'{"type": "instance.deleted", "data": {"instance": "../../patients"}}',
        b'{"type": "instance.stored"}',
        b'{"type": "instance.stored", "data": []}',
        b'{"type": "instance.stored", "data": {"instance": 7}}',
        b'{"type": "instance.stored", "data": {"instance": "../../patients"}}',
    ],
)
def test_a_signed_body_that_is_no_event_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedEvent):
        parse(body)
