"""Local processes: each worker does one job at a time; a worker that dies costs its job, not the run."""

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

from benchmark.pipeline.plan import Job

PATIENCE = 15.0  # seconds that a worker has to end by itself


@dataclass(frozen=True)
class Event:
    """Something that happened to a job: `kind` is "start", "done" (message "ok" or an error), "lost" or "skipped"."""

    kind: str
    job: Job
    message: str = ""
    seconds: float = 0.0


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


def _serve(connection: Connection, prepare: Callable[[], None], execute: Callable[[Job], str], parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_exit_with_parent, args=(parent,), daemon=True).start()
    prepare()
    while (job := connection.recv()) is not None:
        try:
            connection.send(execute(job))
        except Exception as error:  # reported to the run, which knows which jobs depend on this one
            connection.send(traceback.format_exception_only(error)[-1].strip())


def _ready(waiting: Sequence[Job], done: set[str], known: set[str]) -> Job | None:
    """The first job whose dependencies, as far as they are jobs of this run, are done."""
    return next((job for job in waiting if (job.needs & known) <= done), None)


class LocalExecutor:
    """Runs jobs on `workers` spawned processes, dependencies first.

    `prepare` is called once in each process, `execute` for each job; both must be importable.
    """

    def __init__(self, workers: int, prepare: Callable[[], None], execute: Callable[[Job], str]) -> None:
        self.count, self.prepare, self.execute = workers, prepare, execute
        self._context = multiprocessing.get_context("spawn")

    def run(self, jobs: Sequence[Job], notify: Callable[[Event], None]) -> None:
        """Runs all jobs; `notify` hears of each start and end, in this process.

        A job whose dependency failed is skipped. On an interrupt the workers are ended at once: what they were
        writing stays under temporary names.
        """
        waiting, known = list(jobs), {job.id for job in jobs}
        done: set[str] = set()
        failed: set[str] = set()
        workers = [self._start() for _ in range(min(self.count, len(jobs)))]
        try:
            while waiting or any(w.job for w in workers):
                waiting = self._skip(waiting, failed, notify)
                if waiting and not any(w.job for w in workers) and not _ready(waiting, done, known):
                    raise RuntimeError(f"{len(waiting)} jobs wait for each other, first {waiting[0].label}")
                self._assign(workers, waiting, done, known, notify)
                for index, worker in enumerate(workers):
                    if worker.job is None and worker.process.exitcode is not None:
                        workers[index] = self._start()
                self._collect(workers, done, failed, notify)
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
        """Lets idle workers end by themselves, so that they give back what they hold (locks, an engine)."""
        for worker in workers:
            with suppress(OSError):  # it is gone already
                worker.connection.send(None)
        for worker in workers:
            worker.process.join(PATIENCE)

    @staticmethod
    def _skip(waiting: list[Job], failed: set[str], notify: Callable[[Event], None]) -> list[Job]:
        kept = []
        for job in waiting:
            if job.needs & failed:
                failed.add(job.id)
                notify(Event("skipped", job, "what it needs failed"))
            else:
                kept.append(job)
        return kept

    @staticmethod
    def _assign(
        workers: list[_Worker], waiting: list[Job], done: set[str], known: set[str], notify: Callable[[Event], None]
    ) -> None:
        for worker in (w for w in workers if w.job is None and w.process.exitcode is None):
            ready = _ready(waiting, done, known)
            if ready is None:
                return
            waiting.remove(ready)
            worker.job, worker.started = ready, time.monotonic()
            notify(Event("start", ready))
            worker.connection.send(ready)

    @staticmethod
    def _collect(workers: list[_Worker], done: set[str], failed: set[str], notify: Callable[[Event], None]) -> None:
        """Waits for the next answer or death among the busy workers."""
        busy = {w.connection: w for w in workers if w.job} | {w.process.sentinel: w for w in workers if w.job}
        for ready in wait(list(busy), timeout=1.0):
            worker = busy[ready]
            if worker.job is None:
                continue
            job, seconds = worker.job, time.monotonic() - worker.started
            try:
                kind, message = ("done", worker.connection.recv())
            except (EOFError, OSError):
                worker.process.join()
                kind, message = ("lost", f"the worker process died (exit code {worker.process.exitcode})")
            worker.job = None
            (done if message == "ok" or job.kind == "cell" else failed).add(job.id)
            notify(Event(kind, job, message, seconds))
