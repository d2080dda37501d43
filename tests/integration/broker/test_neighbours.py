"""Another Celery application on the same database, and ours beside it: neither notices the other."""

import sys
from pathlib import Path

import redis
from celery import Celery

from tests.broker import valkey
from tests.process_group import process_group
from tests.waiting import until
from workers.broker.celery_app import publisher
from workers.settings import KEY_PREFIX, Settings

#: As the sites of others are, with all of Celery's names as they come. Its tasks take longer than our timeout below.
OTHER = """
import os, sys, time
from celery import Celery

app = Celery("other", broker=sys.argv[1])
app.conf.update(task_acks_late=True, broker_transport_options={"visibility_timeout": 6 * 3600})

@app.task(name="other.long")
def long(file, seconds):
    open(file, "a").write("begun\\n")
    time.sleep(seconds)
    open(file, "a").write("done\\n")

app.worker_main(["worker", "--pool=threads", "--concurrency=2", "--hostname=other@%h"])
"""
#: Ours, with the timeout after which messages are delivered again (and, at start, restored) shortened to seconds.
OURS = """
from workers.broker import celery_app
celery_app.VISIBILITY_SECONDS = 1
from workers.worker import run_worker
run_worker(("maintenance",), 1, beat=True, name="maintenance", loglevel="INFO")
"""
#: What our user may touch. Subscribing to a pattern takes the permission for the pattern as it stands.
OURS_ALONE = (
    "~msk:*",
    f"~{KEY_PREFIX}*",
    f"&{KEY_PREFIX}*",
    f"&{KEY_PREFIX}/0.celery.pidbox",
    f"&{KEY_PREFIX}/0.celeryev/worker.*",
)


def names(app: Celery) -> list[str]:
    """Workers that answer the application's ping, without their host."""
    return [name.partition("@")[0] for answer in app.control.ping(timeout=1.5) for name in answer]


def test_neither_timeouts_nor_commands_cross_over(tmp_path: Path) -> None:
    # Given both on one database, each with a worker, and ours allowed to touch its own names alone
    with valkey(tmp_path / "valkey") as url, redis.Redis.from_url(url) as database:
        database.execute_command("ACL", "SETUSER", "msk", "on", ">swordfish", "+@all", *OURS_ALONE)
        environment = {
            "MSK_ORTHANC_URL": "http://127.0.0.1:9",  # away: the sweep has nothing to do
            "MSK_ORTHANC_USER": "msk",
            "MSK_ORTHANC_PASSWORD": "swordfish",
            "MSK_BROKER_URL": url.replace("redis://", "redis://msk:swordfish@"),
        }
        ours, other = publisher(Settings.from_environment(environment)), Celery("other", broker=url)
        with (
            process_group((sys.executable, "-c", OURS), environment, tmp_path / "ours") as our_worker,
            process_group((sys.executable, "-c", OTHER, url), {}, tmp_path / "other") as other_worker,
        ):
            until(lambda: names(ours) and names(other), 60)

            # When the other one's task runs for longer than our timeout
            ran = tmp_path / "ran"
            other.send_task("other.long", (str(ran), 6))
            until(lambda: ran.exists())

            # Then each hears its own alone meanwhile
            assert names(ours) == ["maintenance"]
            assert names(other) == ["other"]
            until(lambda: "done" in ran.read_text())
            assert ran.read_text() == "begun\ndone\n"

            # And a shutdown ends its own alone
            other.control.shutdown()
            assert other_worker.wait(30) == 0
            assert names(ours) == ["maintenance"]
            assert our_worker.poll() is None
