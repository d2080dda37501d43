"""The checks, in the order of a day: refuse, build, start, store, label, kill, audit, restart, take down."""

import json
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import requests

from mskmodel.labels import BY_KEY, KEYS
from tests.containers.orthanc import Orthanc, copies, expected_labels, read
from tests.containers.project import ROOT, SECRETS, Project, run
from tests.waiting import until

SERVICES = ("orthanc", "broker", "gateway", "label-worker", "train-worker", "beat", "records")
LABEL_WORKERS = 3
#: Seconds until everything is healthy, and until everything stored is labelled; two cores, nobody else's.
START, LABELLED = 180, 180


class Checks:
    """Each method is one thing that a person would look at; its docstring is what is printed."""

    def __init__(self, project: Project, phantoms: Path) -> None:
        self.project, self.phantoms, self.anna = project, phantoms, requests.Session()
        self.orthanc = Orthanc(project.http, project.dicom, project.user, project.password)

    def it_refuses_without_secrets(self) -> str:
        """compose refuses to start while a secret is missing"""
        for name in SECRETS:
            try:
                self.project.compose("config", without=name)
            except AssertionError as refusal:
                assert f"{name} is missing" in str(refusal), refusal
            else:
                raise AssertionError(f"it would start without {name}")
        return ", ".join(SECRETS)

    def it_parses_with_a_gpu(self) -> str:
        """the gpu profile parses and reserves a device"""
        plan = self.project.compose("--profile", "gpu", "config")
        assert "label-worker-gpu:" in plan and "- gpu" in plan
        assert "label-worker-gpu:" not in self.project.compose("config")
        return "label-worker-gpu"

    def it_builds(self) -> str:
        """images build"""
        self.project.build()
        sizes = run("podman", "images", "--format", "{{.Repository}} {{.Size}}").splitlines()
        return "; ".join(line.removeprefix("localhost/") for line in sizes if "/msk-" in line)

    def it_starts(self) -> str:
        """every service comes up healthy, three label workers among them"""
        self.project.up(LABEL_WORKERS)
        return self._all_healthy()

    def it_runs_unprivileged(self) -> str:
        """no container runs as root or can write to its own files"""
        users = {}
        for service in SERVICES:
            container = self.project.containers(service)[0]
            users[service] = self.project.execute(container, "id", "-u").strip()
            assert users[service] not in ("", "0"), f"{service} runs as {users[service]}"
            written = self.project.execute(container, "sh", "-c", "touch /etc/written && echo yes", check=False)
            assert "yes" not in written, f"{service} can write to /etc"
        return ", ".join(f"{service} {user}" for service, user in users.items())

    def it_asks_who_is_there(self) -> str:
        """Orthanc asks for a password, the gateway for a signature, the broker has no way in"""
        assert requests.get(f"{self.orthanc.url}/system", timeout=10).status_code == 401
        assert requests.get(f"{self.orthanc.url}/system", auth=("orthanc", "orthanc"), timeout=10).status_code == 401
        hook = f"http://127.0.0.1:{self.project.gateway}/hooks/orthanc"
        assert requests.post(hook, json={"type": "instance.stored"}, timeout=10).status_code == 401
        broker = self.project.containers("broker")[0]
        assert not any(self.project.inspect(broker)["NetworkSettings"]["Ports"].values())
        assert "NOAUTH" in self.project.execute(broker, "valkey-cli", "ping", check=False)
        return "401, 401, 401, no port, NOAUTH"

    def it_lets_people_in(self) -> str:
        """an account is made inside a container, and its owner chooses a password and signs in from outside"""
        gateway, url = self.project.containers("gateway")[0], f"http://127.0.0.1:{self.project.gateway}"
        assert requests.get(f"{url}/users", timeout=10).status_code == 401
        printed = self.project.execute(gateway, "msk", "users", "add", "anna", "--role", "admin")
        link = printed[printed.index("/login?once=") :].split()[0]
        form = dict(re.findall(r'name="(\w+)" value="([^"]*)"', self.anna.get(url + link, timeout=10).text))
        chosen = secrets.token_hex(16)
        self.anna.post(f"{url}/login", data=form | {"password": chosen, "again": chosen}, timeout=10)
        page = self.anna.get(f"{url}/users", timeout=10)
        assert page.status_code == 200 and "anna, admin" in page.text, page.text
        return "401, then anna, admin"

    def it_labels_what_is_stored(self) -> str:
        """phantoms stored over DICOM are labelled by the webhook alone, in metadata and labels"""
        truth = _make_phantoms(self.phantoms)
        beat = self.project.containers("beat")[0]
        run("podman", "stop", beat)  # so that no sweep helps
        datasets = read(self.phantoms / file for file in truth)
        started = time.monotonic()
        assert self.orthanc.store(datasets) == len(truth)
        assert len(self.orthanc.instances()) == len(truth)
        until(lambda: not self.orthanc.without_prediction(), LABELLED)
        seconds = time.monotonic() - started
        run("podman", "start", beat)
        by_uid = {str(ds.SOPInstanceUID): label for ds, label in zip(datasets, truth.values(), strict=True)}
        outcomes = self._outcomes(by_uid)
        return f"{len(truth)} in {seconds:.1f} s: {outcomes} (Orthanc {self.orthanc.json('/system')['Version']})"

    def it_serves_viewers(self) -> str:
        """DICOMweb finds what the labels say, and names it so; OHIF's pages are there"""
        url = f"http://127.0.0.1:{self.project.gateway}"
        labels = {key for each in self.orthanc.instances() if (key := self.orthanc.metadata(each).get("MskLabel"))}
        parts = Counter(BY_KEY[key].body_part for key in labels)

        def found(part: str) -> list[str]:
            asked = {"BodyPartExamined": part, "includefield": "SeriesDescription"}
            rows = self.anna.get(f"{url}/dicom-web/instances", params=asked, timeout=30).json()
            return [row["0008103E"]["Value"][0] for row in rows if "0018A001" in row]  # named as told by the labeller

        # The index follows in a second or so.
        until(lambda: all(len(found(part)) == count for part, count in parts.items()), LABELLED)
        told = sorted(text for part in parts for text in found(part))
        page = self.anna.get(f"{url}/ohif/viewer", timeout=10)
        assert page.status_code == 200 and "/ohif/app-config.js" in page.text, page.text[:500]
        assert requests.get(f"{url}/dicom-web/studies", timeout=10).status_code == 401
        return ", ".join(told)

    def it_survives_a_killed_worker(self) -> str:
        """a label worker killed at work is restarted, and everything is labelled all the same"""
        victim = self.project.containers("label-worker")[1]
        before = self.project.inspect(victim)["State"]["Pid"]
        files = sorted(self.phantoms.glob("*.dcm"))
        stored = len(self.orthanc.instances())
        accepted = self.orthanc.store(copies(read(files), 4))
        self.project.kill(victim)
        waiting = len(self.orthanc.without_prediction())
        until(lambda: self.project.inspect(victim)["State"]["Pid"] not in (0, before), 30)
        until(lambda: self.project.healthy(victim), START)
        until(lambda: not self.orthanc.without_prediction(), LABELLED)
        assert len(self.orthanc.instances()) == stored + accepted
        return f"{accepted} more, {waiting} of them not labelled yet when it died"

    def it_survives_a_killed_broker(self) -> str:
        """the broker killed while radiographs arrive is restarted, and everything is labelled all the same"""
        broker = self.project.containers("broker")[0]
        files = sorted(self.phantoms.glob("*.dcm"))
        first = self.orthanc.store(copies(read(files[:6]), 1))
        self.project.kill(broker)
        second = self.orthanc.store(copies(read(files[6:]), 2))
        until(lambda: self.project.healthy(broker), START)
        until(lambda: not self.orthanc.without_prediction(), LABELLED)
        return f"{first} before, {second} after"

    def it_accounts_for_everything(self) -> str:
        """msk audit, inside a container, says that nothing is unaccounted for"""
        audit = self._audit()
        assert audit["unaccounted"] == 0 == audit["queued"], audit
        counted = sum(value for value in audit.values() if isinstance(value, int))
        assert counted == len(self.orthanc.instances()), audit
        return ", ".join(f"{value} {name}" for name, value in audit.items() if isinstance(value, int))

    def it_finds_its_data_again(self) -> str:
        """taken down and started again, it finds its data, and labels what comes"""
        before = {instance: _lasting(self.orthanc.metadata(instance)) for instance in self.orthanc.instances()}
        self.project.down()
        assert not self.project.containers()
        self.project.up(1)
        self._all_healthy()
        after = {instance: _lasting(self.orthanc.metadata(instance)) for instance in self.orthanc.instances()}
        assert after == before
        assert self.orthanc.store(copies(read(sorted(self.phantoms.glob("*.dcm"))[:2]), 1)) == 2
        until(lambda: not self.orthanc.without_prediction(), LABELLED)
        assert self._audit()["unaccounted"] == 0
        return f"{len(before)} instances, 2 more"

    def it_keeps_what_people_say(self) -> str:
        """what a person said outlives a corrected patient's number, a merge, and deletion with another import"""
        instance = self.orthanc.instances()[0]
        gateway = self.project.containers("gateway")[0]
        self.project.execute(gateway, "msk", "truth", "set", instance, "knee_ap", "--author", "anna")
        done = []
        for happens in (self._number_corrected, self._merged, self._deleted_and_imported):
            held = set(self.orthanc.instances())
            came = happens(instance)
            until(lambda came=came, held=held: self._said(came or set(self.orthanc.instances()) - held), LABELLED)  # type: ignore[misc]
            # Several, since copies of the same pixels are among the instances.
            said = self._said(came or set(self.orthanc.instances()) - held)
            assert {(truth["label"], truth["author"]) for truth in said.values()} == {("knee_ap", "anna")}, said
            done.append(happens.__name__.strip("_").replace("_", " "))
            instance = min(said)
        return ", ".join(done)

    def _number_corrected(self, instance: str) -> set[str]:
        patient = self.orthanc.json(f"/instances/{instance}/patient")["ID"]
        corrected = {"Replace": {"PatientID": "corrected"}, "KeepSource": False, "Force": True}
        self.orthanc.post(f"/patients/{patient}/modify", corrected)
        assert instance not in self.orthanc.instances()
        return set()

    def _merged(self, instance: str) -> set[str]:
        study = self.orthanc.json(f"/instances/{instance}/study")["ID"]
        other = next(each for each in self.orthanc.json("/studies") if each != study)
        self.orthanc.post(f"/studies/{other}/merge", {"Resources": [study], "KeepSource": False})
        assert instance not in self.orthanc.instances()
        return set()

    def _deleted_and_imported(self, instance: str) -> set[str]:
        file = self.orthanc.get(f"/instances/{instance}/file").content
        self.orthanc.delete(f"/instances/{instance}")
        assert instance not in self.orthanc.instances()
        self.orthanc.upload(file)
        return {instance}

    def _said(self, instances: set[str]) -> dict[str, dict[str, str]]:
        """The truths of those of these instances that have one."""
        found = {each: self.orthanc.metadata(each).get("MskTruth") for each in instances}
        return {each: json.loads(text) for each, text in found.items() if text}

    def _all_healthy(self) -> str:
        waiting = self.project.containers()
        assert {self.project.inspect(name)["Config"]["Labels"]["com.docker.compose.service"] for name in waiting} == {
            *SERVICES
        }
        started = time.monotonic()
        for container in waiting:
            until(lambda container=container: self.project.healthy(container), START)  # type: ignore[misc]
        return f"{len(waiting)} containers in {time.monotonic() - started:.0f} s"

    def _audit(self) -> dict[str, object]:
        gateway = self.project.containers("gateway")[0]
        found: dict[str, object] = json.loads(self.project.execute(gateway, "msk", "audit", "--json"))
        return found

    def _outcomes(self, truth: dict[str, str]) -> str:
        """Check each instance's metadata against its labels, and that most of them are the truth; a summary."""
        count: Counter[str] = Counter()
        for instance in self.orthanc.instances():
            metadata = self.orthanc.metadata(instance)
            outcome = json.loads(metadata["MskPrediction"])
            status, label = outcome["status"], outcome["label"]
            assert status in ("labelled", "needs-review"), outcome
            assert metadata.get("MskLabel") == label, f"MskLabel {metadata.get('MskLabel')}, MskPrediction {label}"
            assert self.orthanc.labels(instance) == expected_labels(status, label)
            uid = self.orthanc.json(f"/instances/{instance}")["MainDicomTags"]["SOPInstanceUID"]
            print(f"      {truth[uid]:18} {status:13} {label or '-':18} {outcome['confidence']:.2f}")
            count[status] += 1
            count["right"] += label == truth[uid]
        assert 3 * count["right"] >= 2 * len(truth), f"{count['right']} of {len(truth)} right"
        return ", ".join(f"{number} {name}" for name, number in count.items())


def _lasting(metadata: dict[str, str]) -> dict[str, object]:
    """All but what a second look at its study may change: the label, and evidence in the outcome."""
    outcome = json.loads(metadata["MskPrediction"])
    kept = {name: value for name, value in metadata.items() if name not in ("MskPrediction", "MskLabel")}
    return kept | {name: outcome[name] for name in ("attachment_md5", "model", "pixels", "claims", "stored_at")}


def _make_phantoms(folder: Path) -> dict[str, str]:
    """One of each class; file name to key."""
    command = (sys.executable, "-m", "workers.cli", "phantom", "make", "--classes", "--count", str(len(KEYS)), "--json")
    return {row["file"]: row["label"] for row in json.loads(run(*command, str(folder)))}


def _take_down(project: Project) -> str:
    """down --volumes leaves nothing behind"""
    project.down("--volumes")
    remains = project.remains()
    assert not remains, f"left behind: {remains}"
    return "no container, pod, volume or network"


def _checked(check: Callable[[], str]) -> bool:
    """Run one check and say what came of it."""
    name, started = (check.__doc__ or "").splitlines()[0], time.monotonic()
    try:
        seen = check()
    except (AssertionError, KeyError, ValueError, OSError, subprocess.SubprocessError) as error:
        print(f"FAIL  {name} ({time.monotonic() - started:.0f} s)\n      {type(error).__name__}: {error}", flush=True)
        return False
    print(f"pass  {name} ({time.monotonic() - started:.0f} s): {seen}", flush=True)
    return True


def _show_logs(project: Project) -> None:
    """The end of every container's log, for whoever must find out why."""
    for container in project.containers():
        print(f"----- {container}")
        print(subprocess.run(("podman", "logs", "--tail", "25", container), capture_output=True, text=True).stderr)


def main() -> int:
    """All checks; whatever happens, nothing is left running."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    project = Project()
    print(f"compose project {project.name} in {ROOT}, Orthanc on {project.http}, DICOM on {project.dicom}", flush=True)
    results: list[bool] = []
    with tempfile.TemporaryDirectory() as folder:
        checks = Checks(project, Path(folder))
        before = (checks.it_refuses_without_secrets, checks.it_parses_with_a_gpu, checks.it_builds, checks.it_starts)
        running = (
            checks.it_runs_unprivileged,
            checks.it_asks_who_is_there,
            checks.it_lets_people_in,
            checks.it_labels_what_is_stored,
            checks.it_serves_viewers,
            checks.it_survives_a_killed_worker,
            checks.it_survives_a_killed_broker,
            checks.it_accounts_for_everything,
            checks.it_finds_its_data_again,
            checks.it_keeps_what_people_say,
        )
        try:
            for check in before:  # each needs the one above it
                if all(results):
                    results.append(_checked(check))
            if all(results):
                results += [_checked(check) for check in running]
            if not all(results):
                _show_logs(project)
        finally:

            def take_down() -> str:
                return _take_down(project)

            take_down.__doc__ = _take_down.__doc__
            results.append(_checked(take_down))
    print(f"{sum(results)} passed, {results.count(False)} failed", flush=True)
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
