"""The supervisor: starts the services, restarts what dies, and ends all in the right order."""

import select
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import FrameType

from workers.supervision.log_view import LogView, last_lines
from workers.supervision.process import Process
from workers.supervision.service import Service, ServiceError

__all__ = ["Stopped", "Supervisor"]

#: Seconds between two looks at the logs, and between two questions whether a service is ready.
TICK = 0.1
#: Seconds before a process that died starts again: the first time, and the most it grows to.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
#: Seconds after which a process counts as steady: its next death is counted as the first.
STEADY = 60.0


class Stopped(Exception):
    """The stack was asked to end while it was still starting."""


class Supervisor:
    """Runs services; lives on the main thread."""

    def __init__(
        self,
        folder: Path,
        services: Sequence[Service],
        logs: LogView,
        say: Callable[[str, str], None],
        changed: Callable[[dict[str, int]], None],
    ) -> None:
        """Take what to run; `start` starts it.

        Args:
            folder: where the processes run.
            services: what to run.
            logs: follows and shows what the processes write.
            say: called with a service's name and what became of it.
            changed: called with all process ids by name when everything is ready, and after each restart.
        """
        self._folder, self._services, self._logs, self._say, self._changed = folder, services, logs, say, changed
        self._processes: dict[str, Process] = {}
        self._deaths: dict[str, int] = {}
        self._due: dict[str, float] = {}
        self._asked_to_stop = 0

    def install_signals(self) -> None:
        """Let SIGINT, SIGTERM and SIGHUP (the end of the terminal) end the stack; the second signal kills it."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
                signal.signal(number, self._ask_to_stop)

    def start(self) -> None:
        """Start everything and wait until it is ready.

        Raises:
            ServiceError: a service died or was not ready in time.
            Stopped: a signal came first.
        """
        for phase in sorted({service.starts for service in self._services}):
            group = [service for service in self._services if service.starts == phase]
            for service in group:
                self._start(service)
            for service in group:
                self._await(service)
        self._tell_changed()

    def run(self) -> None:
        """Watch over the services until asked to stop."""
        while not self._asked_to_stop:
            for process in self._dead(TICK):
                self._plan_restart(process)
            for service in self._services:
                if self._due.get(service.name, float("inf")) <= time.monotonic():
                    del self._due[service.name]
                    self._start(service)
                    self._say(service.name, "started again")
                    self._tell_changed()
            self._logs.pump()

    def stop(self) -> None:
        """End everything, in the order of `Service.stops`."""
        for phase in sorted({service.stops for service in self._services}):
            names = [service.name for service in self._services if service.stops == phase]
            self._end([self._processes.pop(name) for name in names if name in self._processes])
        self._logs.pump()

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 (a handler's signature)
        self._asked_to_stop += 1

    def _tell_changed(self) -> None:
        self._changed({name: process.pid for name, process in self._processes.items()})

    def _start(self, service: Service) -> None:
        self._processes[service.name] = Process(service, self._logs.follow(service.name), self._folder)

    def _await(self, service: Service) -> None:
        process = self._processes[service.name]
        while not service.ready():
            ended = process.wait(TICK)
            late = time.monotonic() - process.started > service.ready_within
            self._logs.pump()
            if self._asked_to_stop:
                raise Stopped
            if ended or late:
                what = _ending(process) if ended else f"was not ready within {service.ready_within:g} s"
                log = self._logs.follow(service.name)
                raise ServiceError(f"{service.name} {what}; the end of {log}:\n{last_lines(log)}")
        seconds = time.monotonic() - process.started
        self._logs.pump()
        self._say(service.name, f"ready after {seconds:.1f} s  {service.address}".rstrip())

    def _dead(self, seconds: float) -> list[Process]:
        """The processes that have ended; waits for the first of them, but no longer than that time."""
        poll, watched = select.poll(), {p.descriptor: p for p in self._processes.values()}
        for descriptor in watched:
            poll.register(descriptor, select.POLLIN)
        return [watched[descriptor] for descriptor, _ in poll.poll(seconds * 1000)]

    def _plan_restart(self, process: Process) -> None:
        name = process.service.name
        steady = time.monotonic() - process.started > STEADY
        self._deaths[name] = 1 if steady else self._deaths.get(name, 0) + 1
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (self._deaths[name] - 1))
        self._due[name] = time.monotonic() + pause
        del self._processes[name]
        process.bury()
        self._say(name, f"{_ending(process)}; starts again in {pause:g} s")

    def _end(self, processes: Iterable[Process]) -> None:
        """End some processes together, each by its own signals, and bury them."""
        running, asked, since = list(processes), dict[str, int](), time.monotonic()
        for process in running:
            self._say(process.service.name, "stopping")
        while running:
            for process in running:
                self._ask(process, time.monotonic() - since, asked)
            running[0].wait(TICK)
            self._logs.pump()
            for process in [process for process in running if process.status is not None]:
                running.remove(process)
                process.bury()
                self._say(process.service.name, f"ended after {time.monotonic() - since:.1f} s")

    def _ask(self, process: Process, waited: float, asked: dict[str, int]) -> None:
        """Send the signal whose turn it is after `waited` seconds, once."""
        turn, begins = 0, 0.0
        for _, patience in process.service.stop:
            begins += patience
            turn += waited >= begins
        if self._asked_to_stop > 1:
            turn = len(process.service.stop)
        if asked.get(process.service.name) == turn:
            return
        asked[process.service.name] = turn
        numbers = (*(number for number, _ in process.service.stop), signal.SIGKILL)
        if numbers[turn] == signal.SIGKILL:
            self._say(process.service.name, "does not end by itself, and is killed")
        process.signal(numbers[turn])


def _ending(process: Process) -> str:
    """How a process has ended, in words."""
    status = process.status or 0
    return f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
