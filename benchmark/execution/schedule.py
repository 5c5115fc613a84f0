"""The schedule that all executors share: which jobs can start, are running, have ended or are
skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from benchmark.pipeline.plan import Job

OK = "ok"  # a worker's answer if a job succeeded


@dataclass(frozen=True)
class Event:
    """A change in a job's state: `kind` is "start", "done" (message "ok" or an error), "lost" or
    "skipped".
    """

    kind: str
    job: Job
    message: str = ""
    seconds: float = 0.0


class Executor(Protocol):
    """Runs jobs on local or remote workers."""

    def run(self, jobs: Sequence[Job], notify: Callable[[Event], None]) -> None:
        """Runs all jobs, dependencies first; calls `notify` in this process at each start and end
        of a job.
        """
        ...


class JobSchedule:
    """The state of a run's jobs. A dependency that is not a job of the run counts as done."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._waiting, self._known = list(jobs), {job.id for job in jobs}
        self._running: set[str] = set()
        self._done: set[str] = set()
        self._failed: set[str] = set()

    @property
    def unfinished(self) -> bool:
        return bool(self._waiting or self._running)

    def next(self, fits: Callable[[Job], bool] = lambda job: True) -> Job | None:
        """Starts the first job that fits and whose dependencies are done; None if there is none at
        present.

        RuntimeError if the remaining jobs wait for each other.
        """
        done = [job for job in self._waiting if (job.needs & self._known) <= self._done]
        if not done and self._waiting and not self._running:
            first = self._waiting[0].label
            raise RuntimeError(f"{len(self._waiting)} jobs wait for each other, first {first}")
        ready = next(filter(fits, done), None)
        if ready is None:
            return None
        self._waiting.remove(ready)
        self._running.add(ready.id)
        return ready

    def end(self, job: Job, message: str) -> None:
        """Notes how a job ended. A failed cell counts as done: its failure is a record, and no
        other job needs a cell.
        """
        self._running.remove(job.id)
        (self._done if message == OK or job.kind == "cell" else self._failed).add(job.id)

    def skip(self) -> list[Job]:
        """The jobs that can never start, since a dependency failed or was skipped; each is returned
        once.
        """
        skipped = []
        while job := next((job for job in self._waiting if job.needs & self._failed), None):
            self._waiting.remove(job)
            self._failed.add(job.id)
            skipped.append(job)
        return skipped
