# SPDX-License-Identifier: AGPL-3.0-or-later
#
# This file runs inside Orthanc's Python plugin, which is under the GNU Affero General Public License, and so
# is this file: version 3 or, at your option, any later version, without any warranty. See LICENSE beside it.
# The rest of the project talks to Orthanc over HTTP only and has a licence of its own.
"""Orthanc plugin: tells the labeller, by a signed webhook, of every instance that Orthanc has stored or deleted.

The store itself only appends the instance's identifier, and the sender's AE title, to a queue. One thread takes them
from it, looks up in Orthanc's database what the receiver needs (never the file, never patient data), signs the event
by the Standard Webhooks convention and posts it. Where Orthanc has durable queues (1.12.10, with version 7.0 of its
Python plugin), an event survives a crash. Elsewhere it is only in memory; if it is lost, the labeller's sweep
of /changes finds the instance.

An event of a store says whether the instance is old, so that an archive gives way to what is new, however it comes.

At /msk/webhook it says whether the webhook is on, and how Orthanc is configured where that matters to the labeller.
In Orthanc Explorer, a study has a link to its page at the labeller, where MSK_PAGES_URL says how browsers reach that,
and one to the viewer where MSK_WITH_VIEWER says that the labeller serves it.

Settings, from the environment of Orthanc: MSK_WEBHOOK_URL and MSK_WEBHOOK_SECRET ("whsec_" and base64); MSK_PAGES_URL
and MSK_WITH_VIEWER; MSK_OLD_AFTER_DAYS, MSK_BACKFILL_SENDERS and MSK_NEW_SENDERS (see `AgeRule`). For an https address,
MSK_CA_FILE may name a file of further authorities whose certificates are trusted beside the system's, and
MSK_TLS_VERIFY=false trusts anybody's.
"""

import base64
import collections
import contextlib
import datetime
import functools
import hashlib
import hmac
import http.client
import json
import os
import random
import re
import socket
import ssl
import threading
import time
import urllib.parse

import orthanc

QUEUE = "msk-webhook"
#: What an event of a deletion begins with in the queue.
DELETED = "deleted"
#: Identifiers kept in memory where Orthanc has no durable queues: about 10 MB.
MEMORY_LIMIT = 100_000
#: Seconds after which a durable event that was taken, but not delivered, can be taken again.
RESERVATION = 5
#: Seconds to connect to the receiver, and to wait for its answer.
CONNECT_TIMEOUT, ANSWER_TIMEOUT = 3.0, 10.0
#: Seconds of back-off before the next try: at first, and at most.
FIRST_DELAY, LONGEST_DELAY = 0.25, 8.0
#: Values of MSK_TLS_VERIFY that turn the verification off, as the labeller reads them.
OFF = frozenset({"0", "f", "false", "n", "no", "off"})
#: Values of MSK_WITH_VIEWER that say that the gateway serves the viewer.
ON = frozenset({"1", "true", "yes"})
#: Days after which a study is old, unless MSK_OLD_AFTER_DAYS says otherwise.
OLD_AFTER_DAYS = 30
#: Metadata in which Orthanc notes who sent an instance: an AE title over DICOM, a user over HTTP.
SENDER = ("RemoteAET", "HttpUsername", "RemoteIP")
#: A date in DICOM, or as ACR-NEMA had it (PS3.5, table 6.2-1).
DATE = re.compile(r"([0-9]{4})(\.?)([0-9]{2})\2([0-9]{2})")
#: Answers below 500 that ask for another try; all others are final.
TRY_AGAIN = frozenset({408, 425, 429})
#: What the plugin's functions raise, depending on its version and on the function.
SDK_ERRORS = (orthanc.OrthancException, TypeError, ValueError)
#: Options of Orthanc that cost the labeller something, with their defaults; none is a secret.
SHOWN_OPTIONS = {
    "CheckRevisions": False,
    "MaximumPatientCount": 0,
    "MaximumStorageMode": "Recycle",
    "MaximumStorageSize": 0,
    "OverwriteInstances": False,
    "StorageCompression": False,
    "StoreMD5ForAttachments": True,
    "UserMetadata": {},
}
#: For Orthanc Explorer (jQuery Mobile 1.1): a link's address is renewed with every study that is opened.
STUDY_LINKS = """
$('#study').live('pagebeforeshow', function () {
  $.each(%s, function (id, link) {
    if (!$('#' + id).length) {
      var entry = '<li data-icon="grid"><a id="' + id + '" target="_blank" rel="noopener">' + link.text + '</a></li>';
      $('#study-delete').closest('li').before(entry).closest('ul').listview('refresh');
    }
    $('#' + id).attr('href', link.before + encodeURIComponent($.mobile.pageData.uuid) + link.after);
  });
});
"""
#: Error codes of an instance that was deleted after it was stored.
GONE = (orthanc.ErrorCode.UNKNOWN_RESOURCE, orthanc.ErrorCode.INEXISTENT_ITEM)


def words(beginning, ends):
    return frozenset(beginning + end for end in ends.split())


#: Terms of the standard that an event may hold: storage classes of images and reports, their modalities, and the
#: transfer syntaxes of images.
SOP_CLASSES = words(
    "1.2.840.10008.5.1.4.1.1.",
    "1 1.1 1.1.1 1.2 1.2.1 1.3 1.3.1 2 2.1 3.1 4 4.1 6.1 7 7.1 7.2 7.3 7.4 11.1 12.1 12.1.1 12.2 12.2.1 13.1.1 13.1.2 "
    "13.1.3 20 30 66.4 77.1.1 77.1.4 77.1.6 88.11 88.22 88.33 88.34 88.59 88.67 104.1 104.2 128 481.1 481.2 481.3",
)
MODALITIES = words(
    "",
    "AR BI BMD CR CT CTPROTOCOL DG DOC DX ECG ES GM IO IVOCT IVUS KO MG MR NM OCT OP OT PR PT PX REG RF RG RTDOSE "
    "RTIMAGE RTPLAN RTSTRUCT SC SEG SM SR TG US XA XC",
)
TRANSFER_SYNTAXES = words(
    "1.2.840.10008.1.",
    "2 2.1 2.1.98 2.1.99 2.2 2.4.50 2.4.51 2.4.57 2.4.70 2.4.80 2.4.81 2.4.90 2.4.91 2.4.92 2.4.93 2.4.100 2.4.101 "
    "2.4.102 2.4.103 2.4.104 2.4.105 2.4.106 2.4.107 2.4.108 2.4.110 2.4.111 2.4.112 2.4.201 2.4.202 2.4.203 2.5",
)


class AgeRule:
    """Which instances are old, and give way to new ones: those of old studies, and all that an archive sends.

    MSK_OLD_AFTER_DAYS: days after which a study is old; 0 for never. A study without a date, or with one in the
    future, is not old. MSK_BACKFILL_SENDERS: AE titles, users of Orthanc and IP addresses, with commas between, that
    send an archive: old whatever the date. MSK_NEW_SENDERS: those whose old studies are needed now, such as prefetched
    priors: never old. The labeller's sweep has the same rule, in workers/reconciliation/age.py.
    """

    def __init__(self, environment):
        """Logs a number of days that is none: a site that gives none has the default."""
        days = environment.get("MSK_OLD_AFTER_DAYS", "").strip() or str(OLD_AFTER_DAYS)
        if not re.fullmatch(r"[0-9]{1,9}", days):
            orthanc.LogError(f"webhook.setting-ignored name=MSK_OLD_AFTER_DAYS default={OLD_AFTER_DAYS}")
            days = OLD_AFTER_DAYS
        self._days = int(days)
        self._backfill = names_in(environment.get("MSK_BACKFILL_SENDERS", ""))
        self._new = names_in(environment.get("MSK_NEW_SENDERS", ""))

    def __str__(self):
        backfill, new = (",".join(sorted(names)) for names in (self._backfill, self._new))
        return f"old_after_days={self._days} backfill_senders={backfill} new_senders={new}"

    def is_old(self, study_date, metadata, today):
        senders = {metadata.get(name, "").strip().casefold() for name in SENDER} - {""}
        if senders & self._new:
            return False
        if senders & self._backfill:
            return True
        days = days_since(study_date, today)
        return bool(self._days) and days is not None and days > self._days


def names_in(text):
    return {name.strip().casefold() for name in text.split(",")} - {""}


def days_since(day, today):
    """None for what is no date; less than 0 for a date in the future."""
    found = DATE.fullmatch(day.strip())
    try:
        return (today - datetime.date(*map(int, found.group(1, 3, 4)))).days if found else None
    except ValueError:
        return None


class Outbox:
    """Stores whose events are to be delivered: in Orthanc's database if it has durable queues, else in memory.

    Each is the instance's identifier, with the sender's AE title after a space if there is one. A deletion waits among
    them as DELETED, identifier and time, with spaces between.
    """

    def __init__(self):
        self.durable = hasattr(orthanc, "ReserveQueueValue") and hasattr(orthanc, "AcknowledgeQueueValue")
        self._memory = collections.deque(maxlen=MEMORY_LIMIT)
        self._dropped = 0
        self._filled = threading.Event()

    def put(self, store):
        """Runs on the thread that stores: it is quick, and it never raises."""
        try:
            if self.durable:
                orthanc.EnqueueValue(QUEUE, store.encode())
            else:
                self._remember(store)
        except SDK_ERRORS as error:
            # A database plugin without queues, or a full disk: keep it in memory rather than fail the store.
            orthanc.LogWarning(f"webhook.queue-refused error={type(error).__name__}")
            self._remember(store)
        self._filled.set()

    def _remember(self, store):
        if len(self._memory) == MEMORY_LIMIT:  # the deque drops the oldest
            self._dropped += 1
            if is_power_of_two(self._dropped):
                orthanc.LogWarning(f"webhook.dropped total={self._dropped} reason=queue-full")
        self._memory.append(store)

    def take(self):
        """The next (store, receipt), or None; the receipt of an event from memory is None."""
        self._filled.clear()
        if self._memory:
            return self._memory.popleft(), None
        if not self.durable:
            return None
        try:
            value, receipt = orthanc.ReserveQueueValue(QUEUE, orthanc.QueueOrigin.FRONT, RESERVATION)
        except SDK_ERRORS:
            return None  # put() logs it
        return None if value is None else (value.decode(), receipt)

    def done(self, receipt):
        if receipt is not None:
            with contextlib.suppress(*SDK_ERRORS):  # then it is sent again, under the same webhook-id
                orthanc.AcknowledgeQueueValue(QUEUE, receipt)

    def give_back(self, store, receipt):
        if receipt is None:  # a durable event returns by itself when its reservation ends
            self._remember(store)

    def wait(self):
        """Wait until something is put or stop() wakes it; for durable events, also until a reservation ends."""
        self._filled.wait(RESERVATION if self.durable else None)

    def wake(self):
        self._filled.set()

    def __len__(self):
        return len(self._memory)


class Receiver:
    """One kept-alive connection to the receiver of the webhooks. Raises ValueError for unusable settings."""

    def __init__(self, url, secret):
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("MSK_WEBHOOK_URL is not an http or https address")
        self._key = decode_secret(secret)
        self._path = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
        kind, options = http.client.HTTPConnection, {"timeout": CONNECT_TIMEOUT}
        if parts.scheme == "https":
            kind, options = http.client.HTTPSConnection, {**options, "context": tls_context()}
        self._connection = kind(parts.hostname, parts.port, **options)
        self.address = f"{parts.scheme}://{self._connection.host}:{self._connection.port}"

    def post(self, webhook_id, body):
        """The status of the answer. Raises OSError or http.client.HTTPException where there is none."""
        timestamp = str(int(time.time()))
        headers = {
            "content-type": "application/json",
            "webhook-id": webhook_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": signature(self._key, webhook_id, timestamp, body),
        }
        kept_alive = self._connection.sock is not None
        try:
            return self._exchange(body, headers)
        except ConnectionError:  # http.client.RemoteDisconnected is one too
            if not kept_alive:
                raise
            return self._exchange(body, headers)  # the receiver had only closed an idle connection

    def _exchange(self, body, headers):
        try:
            if self._connection.sock is None:
                self._connection.connect()
                self._connection.sock.settimeout(ANSWER_TIMEOUT)
            self._connection.request("POST", self._path, body, headers)
            answer = self._connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        return answer.status

    def close(self):
        self._connection.close()

    def interrupt(self):
        """From another thread: ends an exchange that hangs."""
        sock = self._connection.sock
        if sock is not None:
            with contextlib.suppress(OSError):  # it has just ended by itself
                sock.shutdown(socket.SHUT_RDWR)


class Sender(threading.Thread):
    """Delivers what is in the outbox, one event after the other, until it is told to stop."""

    def __init__(self, outbox, receiver, ages):
        super().__init__(name="msk-webhook", daemon=True)
        self._outbox = outbox
        self._receiver = receiver
        self._ages = ages
        self._stopping = threading.Event()
        self._failures = 0

    def run(self):
        while not self._stopping.is_set():
            taken = self._outbox.take()
            if taken is None:
                self._outbox.wait()
                continue
            store, receipt = taken
            if self._deliver(store):
                self._failures = 0
                self._outbox.done(receipt)
            else:
                self._outbox.give_back(store, receipt)
                self._pause()
        self._receiver.close()

    def stop(self):
        """Stop within CONNECT_TIMEOUT + 1 seconds, whatever the receiver does."""
        self._stopping.set()
        self._outbox.wake()
        self._receiver.interrupt()
        self.join(CONNECT_TIMEOUT + 1)
        orthanc.LogWarning(f"webhook.stopped lost_from_memory={len(self._outbox)}")

    def _deliver(self, store):
        """Post one event; True when nothing is left to do for it."""
        try:
            name, event = describe(store, self._ages)
            status = self._receiver.post(name, json.dumps(event).encode())
        except (*SDK_ERRORS, KeyError, OSError, http.client.HTTPException) as error:
            return was_deleted(error) or self._failed(reason_of(error))
        if status >= 500 or status in TRY_AGAIN:
            return self._failed(status)
        if not 200 <= status < 300:
            orthanc.LogError(f"webhook.refused status={status} instance={event['data']['instance']}")
        elif self._failures:
            orthanc.LogWarning(f"webhook.recovered after={self._failures}")
        return True

    def _failed(self, reason):
        self._failures += 1
        if is_power_of_two(self._failures) and not self._stopping.is_set():
            orthanc.LogWarning(f"webhook.failed reason={reason} in_a_row={self._failures}")
        return False

    def _pause(self):
        """Exponential back-off with jitter, so that many servers do not retry at the same moment."""
        longest = min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(self._failures - 1, 10))
        self._stopping.wait(longest * random.uniform(0.5, 1))  # noqa: S311  (spreads load, hides nothing)


def describe(store, ages):
    """The event's webhook-id, the same for every try, and its body; from the database but for the sender's AE title."""
    ident, _, aet = store.partition(" ")
    if ident == DELETED:
        ident, _, moment = aet.partition(" ")
        return webhook_id(store), {"type": "instance.deleted", "timestamp": moment, "data": {"instance": ident}}
    instance = rest(f"/instances/{ident}")
    metadata = rest(f"/instances/{ident}/metadata?expand")
    if aet:  # of an instance that is stored again without overwriting, the database knows the first sender only
        metadata["RemoteAET"] = aet
    study, modality = series(instance["ParentSeries"])
    # Not cached, as a series is: a study's date may be corrected.
    study_date = rest(f"/studies/{study}")["MainDicomTags"].get("StudyDate", "")
    # With the file's own identifier, an overwritten instance is another event, and a retry is the same one.
    name = f"instance.stored {ident} {instance.get('FileUuid', '')}"
    data = {
        "instance": ident,
        "series": instance["ParentSeries"],
        "study": study,
        "sop_class": known(metadata.get("SopClassUid", ""), SOP_CLASSES),
        "modality": known(modality, MODALITIES),
        "transfer_syntax": known(metadata.get("TransferSyntax", ""), TRANSFER_SYNTAXES),
        # Not the date itself, which would be a patient's data.
        "old": ages.is_old(study_date, metadata, datetime.date.today()),
    }
    event = {"type": "instance.stored", "timestamp": iso_8601(metadata.get("ReceptionDate")), "data": data}
    return webhook_id(name), event


def webhook_id(name):
    return "msg_" + hashlib.sha256(name.encode()).hexdigest()[:32]


@functools.lru_cache(maxsize=256)
def series(ident):
    """(study, modality), cached: the instances of a series mostly arrive together."""
    found = rest(f"/series/{ident}")
    return found["ParentStudy"], found["MainDicomTags"].get("Modality", "")


def sender_of(dicom):
    """The AE title that a file which is being stored comes from; "" where it is none, or not text."""
    try:
        return dicom.GetInstanceRemoteAet() or ""
    except SDK_ERRORS:
        return ""


def rest(path):
    return json.loads(orthanc.RestApiGet(path))


def reason_of(error):
    """What a log line says of an error: its kind alone, but for a certificate why it is not trusted."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate-not-trusted ({error.verify_message})"
    return type(error).__name__


def known(value, terms):
    """The value if it is among these terms, else "other": any other text of a file may be about the patient."""
    return value if value in terms else "other" if value else ""


def was_deleted(error):
    return isinstance(error, orthanc.OrthancException) and error.args[0] in GONE


def tls_context():
    """Whose certificates are trusted. Raises ValueError for a file that holds none."""
    context = ssl.create_default_context()
    ca_file = os.environ.get("MSK_CA_FILE")
    if ca_file:
        try:
            context.load_verify_locations(ca_file)
        except OSError as error:  # ssl.SSLError is one too
            raise ValueError("MSK_CA_FILE is not a readable file of certificates in PEM format") from error
    if os.environ.get("MSK_TLS_VERIFY", "").lower() in OFF:
        orthanc.LogWarning("webhook.tls-not-verified reason=MSK_TLS_VERIFY is false")
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def decode_secret(secret):
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        key = b""
    if len(key) < 24:  # the least that Standard Webhooks allows
        raise ValueError("MSK_WEBHOOK_SECRET is not whsec_ and the base64 of 24 bytes or more")
    return key


def signature(key, webhook_id, timestamp, body):
    signed = b".".join((webhook_id.encode(), timestamp.encode(), body))
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def iso_8601(reception_date):
    """Orthanc's "20260131T235959", which is in UTC, as ISO 8601; if it is None, the time now."""
    parsed = time.strptime(reception_date, "%Y%m%dT%H%M%S") if reception_date else time.gmtime()
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", parsed)


def is_power_of_two(count):
    """Whether to log a repeated event: 1,000 times in a row give 10 lines."""
    return count & (count - 1) == 0


def show(state, output, _uri, **request):
    """Answers /msk/webhook: whether the webhook is on, and options that /system tells in later versions only."""
    if request["method"] != "GET":
        output.SendMethodNotAllowed("GET")
        return
    configured = json.loads(orthanc.GetConfiguration())
    options = {name: configured.get(name, default) for name, default in SHOWN_OPTIONS.items()}
    output.AnswerBuffer(json.dumps({"webhook": state, "options": options}), "application/json")


def link_studies():
    """Puts the links to the labeller's page and to the viewer into Orthanc Explorer, if MSK_PAGES_URL says where."""
    url = os.environ.get("MSK_PAGES_URL", "")
    if not url:
        return
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        orthanc.LogError("study-link.off reason=MSK_PAGES_URL is not an http or https address")
        return
    before = f"{url.rstrip('/')}/studies/"
    links = {"msk-study": {"text": "Labels of this study", "before": before, "after": ""}}
    if os.environ.get("MSK_WITH_VIEWER", "").lower() in ON:
        links["msk-viewer"] = {"text": "Open in viewer", "before": before, "after": "/viewer"}
    orthanc.ExtendOrthancExplorer(STUDY_LINKS % json.dumps(links))


def connect():
    """Registers the callbacks, or logs why there is no webhook: Orthanc stores either way. Returns `on`, or why not."""
    url, secret = os.environ.get("MSK_WEBHOOK_URL"), os.environ.get("MSK_WEBHOOK_SECRET")
    if not url or not secret:
        orthanc.LogWarning("webhook.off reason=MSK_WEBHOOK_URL and MSK_WEBHOOK_SECRET are not both set")
        return "MSK_WEBHOOK_URL and MSK_WEBHOOK_SECRET are not both set"
    try:
        receiver = Receiver(url, secret)
    except ValueError as error:
        orthanc.LogError(f"webhook.off reason={error}")
        return str(error)
    outbox = Outbox()
    ages = AgeRule(os.environ)
    sender = Sender(outbox, receiver, ages)

    def on_change(change, level, ident):
        if change == orthanc.ChangeType.DELETED and level == orthanc.ResourceType.INSTANCE:
            outbox.put(f"{DELETED} {ident} {iso_8601(None)}")
        elif change == orthanc.ChangeType.ORTHANC_STARTED:
            sender.start()
        elif change == orthanc.ChangeType.ORTHANC_STOPPED and sender.is_alive():
            sender.stop()

    orthanc.RegisterOnStoredInstanceCallback(lambda dicom, ident: outbox.put(f"{ident} {sender_of(dicom)}".strip()))
    orthanc.RegisterOnChangeCallback(on_change)
    orthanc.LogWarning(f"webhook.on receiver={receiver.address} durable={outbox.durable} {ages}")
    return "on"


link_studies()
orthanc.RegisterRestCallback("/msk/webhook", functools.partial(show, connect()))
