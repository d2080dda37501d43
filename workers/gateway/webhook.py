"""The webhook's protocol, without any I/O: verify a delivery and parse it.

Signed by the Standard Webhooks convention; the sender is `orthanc/webhook.py`.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from standardwebhooks import Webhook, WebhookVerificationError

__all__ = ["DeletedInstance", "InvalidSignature", "MalformedEvent", "StoredInstance", "parse", "verify"]

#: An Orthanc identifier is a SHA-1 in five groups of eight hexadecimal digits.
ORTHANC_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{8}){4}")


class InvalidSignature(Exception):
    """The delivery is not signed by a holder of the shared secret, or is too old."""


class MalformedEvent(Exception):
    """The delivery is signed, but is not an event that this gateway understands."""


@dataclass(frozen=True)
class StoredInstance:
    """An instance that Orthanc has stored; `instance` is its Orthanc identifier."""

    instance: str
    old: bool
    """Whether it is one of an archive, and gives way to new ones."""


@dataclass(frozen=True)
class DeletedInstance:
    """An instance that Orthanc has deleted; it may have been stored again since."""

    instance: str


def verify(secret: str, headers: Mapping[str, str], body: bytes) -> None:
    """Check the delivery's signature and age (five minutes either way).

    Raises:
        InvalidSignature: the signature, its age, the headers or the body's encoding are wrong.
    """
    try:
        Webhook(secret).verify(body, dict(headers), json_parse=False)
    except (WebhookVerificationError, ValueError) as error:
        # A signature without a comma, or bytes that are not UTF-8, raise ValueError in the library.
        raise InvalidSignature("the signature does not verify") from error


def parse(body: bytes) -> StoredInstance | DeletedInstance:
    """Parse a verified body.

    Raises:
        MalformedEvent: not JSON, another type of event, or no Orthanc identifier in it.
    """
    try:
        event = json.loads(body)
    except ValueError as error:
        raise MalformedEvent("the body is not JSON") from error
    kind = event.get("type") if isinstance(event, dict) else None
    if kind not in ("instance.stored", "instance.deleted"):
        raise MalformedEvent("the event's type is neither instance.stored nor instance.deleted")
    found = event.get("data")
    data = found if isinstance(found, dict) else {}
    instance = data.get("instance")
    if not isinstance(instance, str) or not ORTHANC_ID.fullmatch(instance):
        raise MalformedEvent("data.instance is not an Orthanc identifier")
    if kind == "instance.deleted":
        return DeletedInstance(instance)
    # Whatever is not plainly old is not made to wait; Orthanc may run an earlier plugin, which does not say.
    return StoredInstance(instance, old=data.get("old") is True)
