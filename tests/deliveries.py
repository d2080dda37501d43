"""A webhook delivery: its body, and the headers that sign it."""

import json
from datetime import UTC, datetime, timedelta

from standardwebhooks import Webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
INSTANCE = "9ee4ea42-0b3f6b9d-cd5c3f5d-8ba0a2d5-ab4e6d0c"
BODY = json.dumps({"type": "instance.stored", "data": {"instance": INSTANCE}}).encode()


def signed(body: bytes = BODY, age: timedelta = timedelta(), secret: str = SECRET) -> dict[str, str]:
    moment = datetime.now(UTC) - age
    signature = Webhook(secret).sign("event-1", moment, body.decode())
    return {
        "Webhook-Id": "event-1",
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": signature,
    }
