"""Local processes: each worker does one job at a time; a worker that dies costs its job, not the
run.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from benchmark.execution.schedule import Event, JobSchedule
from benchmark.pipeline.plan import Job

PATIENCE = 15.0  # seconds that a worker has to end by itself


@dataclass
class _Worker:
    process: Any
    connection: Connection
    job: Job | None = None
    started: float = 0.0


def _exit_with_parent(parent: int) -> None:
    """Ends this process soon after its parent is gone, however that was killed."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _serve(
    connection: Connection, prepare: Callable[[], None], execute: Callable[[Job], str], parent: int
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_exit_with_parent, args=(parent,), daemon=True).start()
    prepare()
    while (job := connection.recv()) is not None:
        try:
            connection.send(execute(job))
        except Exception as error:  # reported to the run, which knows which jobs depend on this one
            connection.send(traceback.format_exception_only(error)[-1].strip())


class LocalExecutor:
    """Runs jobs on `workers` spawned processes, dependencies first.

    `prepare` is called once in each process, `execute` for each job; both must be importable.
    """

    def __init__(
        self, workers: int, prepare: Callable[[], None], execute: Callable[[Job], str]
    ) -> None:
        self.count, self.prepare, self.execute = workers, prepare, execute
        self._context = multiprocessing.get_context("spawn")

    def run(self, jobs: Sequence[Job], notify: Callable[[Event], None]) -> None:
        """Runs all jobs; `notify` hears of each start and end, in this process.

        A job whose dependency failed is skipped. On an interrupt the workers are ended at once:
        what they were writing stays under temporary names.
        """
        schedule = JobSchedule(jobs)
        workers = [self._start() for _ in range(min(self.count, len(jobs)))]
        try:
            while schedule.unfinished:
                for job in schedule.skip():
                    notify(Event("skipped", job, "a job it depends on failed"))
                self._assign(workers, schedule, notify)
                self._collect(workers, schedule, notify)
                for index, worker in enumerate(workers):
                    if worker.job is None and worker.process.exitcode is not None:
                        workers[index] = self._start()
            self._dismiss(workers)
        finally:
            for worker in workers:
                worker.process.terminate()
            for worker in workers:
                worker.process.join()

    def _start(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=_serve, args=(theirs, self.prepare, self.execute, os.getpid()), daemon=True
        )
        process.start()
        theirs.close()
        return _Worker(process, ours)

    @staticmethod
    def _dismiss(workers: list[_Worker]) -> None:
        """Lets idle workers end by themselves, so that they give back what they hold (locks, an
        engine).
        """
        for worker in workers:
            with suppress(OSError):  # it is gone already
                worker.connection.send(None)
        for worker in workers:
            worker.process.join(PATIENCE)

    @staticmethod
    def _assign(
        workers: list[_Worker], schedule: JobSchedule, notify: Callable[[Event], None]
    ) -> None:
        for worker in (w for w in workers if w.job is None and w.process.exitcode is None):
            job = schedule.next()
            if job is None:
                return
            worker.job, worker.started = job, time.monotonic()
            notify(Event("start", job))
            worker.connection.send(job)

    @staticmethod
    def _collect(
        workers: list[_Worker], schedule: JobSchedule, notify: Callable[[Event], None]
    ) -> None:
        """Waits for the next answer or death among the busy workers."""
        busy = {w.connection: w for w in workers if w.job} | {
            w.process.sentinel: w for w in workers if w.job
        }
        for ready in wait(list(busy), timeout=1.0):
            worker = busy[ready]
            if worker.job is None:
                continue
            job, seconds = worker.job, time.monotonic() - worker.started
            try:
                kind, message = ("done", worker.connection.recv())
            except (EOFError, OSError):
                worker.process.join()
                kind, message = (
                    "lost",
                    f"the worker process died (exit code {worker.process.exitcode})",
                )
            worker.job = None
            schedule.end(job, message)
            notify(Event(kind, job, message, seconds))
