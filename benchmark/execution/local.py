"""Execution in local processes: each worker does one job at a time; a worker that dies loses its
job, not the run.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from benchmark.execution.schedule import OK, Event, JobSchedule
from benchmark.pipeline.plan import Job

Act = Callable[[Job], str]
PRELOADED = ["benchmark.pipeline.execute", "transformers.models.auto.modeling_auto"]
GRACE = 0.5  # seconds that an orphaned worker keeps running
PATIENCE = 15.0  # seconds that a worker has to exit by itself


@dataclass
class _Process:
    """A worker process; `spent` once it has announced that it takes no further jobs and exits."""

    process: Any
    connection: Connection
    spent: bool = False


@dataclass
class _Worker:
    """One job at a time: its `own` process, and while the job's method runs a second one for it,
    both on the same GPUs.
    """

    gpus: str
    own: _Process
    method: _Process | None = None
    job: Job | None = None
    started: float = 0.0

    @property
    def busy(self) -> _Process:
        return self.method or self.own

    @property
    def signs(self) -> tuple[Any, int]:
        """The objects to wait on: one is ready once the busy process has answered or died."""
        return self.busy.connection, self.busy.process.sentinel

    @property
    def is_gone(self) -> bool:
        return self.own.spent or self.own.process.exitcode is not None


def _exit_with_parent() -> None:
    """Ends this process soon after the run's process has ended, however that happened."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    time.sleep(GRACE)  # a file that is being written has its final name by then
    os._exit(1)


def _serve(
    connection: Connection,
    prepare: Callable[[], None],
    execute: Act,
    is_spent: Callable[[], bool],
    gpus: str,
) -> None:
    if gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus  # before torch detects them
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    prepare()
    spent = False
    while not spent and (job := connection.recv()) is not None:
        try:
            message = execute(job)
        except Exception as error:  # reported to the run, which knows which jobs depend on this one
            message = traceback.format_exception_only(error)[-1].strip()
        spent = is_spent()
        connection.send((message, spent))


class LocalExecutor:
    """Runs jobs on one worker process per entry of `gpus`, dependencies first. An entry is the
    worker's CUDA_VISIBLE_DEVICES; a worker with an empty entry sees all GPUs.

    `prepare` is called once in each process, `execute` for each job. If a job runs a method,
    `run_method` comes first, in a separate process that ends afterwards: nothing that a method
    changes in its process affects the evaluation. A process for which `is_spent` holds after a job
    is also replaced by a new one. All four must be importable.
    """

    def __init__(
        self,
        gpus: Sequence[str],
        prepare: Callable[[], None],
        run_method: Act,
        execute: Act,
        is_spent: Callable[[], bool],
    ) -> None:
        self.gpus, self.prepare, self.is_spent = gpus, prepare, is_spent
        self.run_method, self.execute = run_method, execute
        self._context = _clean_forks()

    def run(self, jobs: Sequence[Job], notify: Callable[[Event], None]) -> None:
        """Runs all jobs; calls `notify` in this process at each start and end of a job.

        A job whose dependency failed is skipped. On an interrupt the workers are terminated at
        once: files being written keep their temporary names.
        """
        schedule = JobSchedule(jobs)
        workers = [self._worker(gpus) for gpus in self.gpus[: len(jobs)]]
        try:
            while schedule.unfinished:
                for job in schedule.skip():
                    notify(Event("skipped", job, "a job it depends on failed"))
                self._assign(workers, schedule, notify)
                self._collect(workers, schedule, notify)
                for index, worker in enumerate(workers):
                    if worker.job is None and worker.is_gone:
                        worker.own.process.join(PATIENCE)  # so that it releases what it holds
                        workers[index] = self._worker(worker.gpus)
            self._dismiss(workers)
        finally:
            _end(p.process for w in workers for p in (w.own, w.method) if p)

    def _worker(self, gpus: str) -> _Worker:
        return _Worker(gpus, self._start(self.execute, gpus))

    def _start(self, execute: Act, gpus: str) -> _Process:
        ours, theirs = self._context.Pipe()
        arguments = (theirs, self.prepare, execute, self.is_spent, gpus)
        process = self._context.Process(target=_serve, args=arguments, daemon=True)
        process.start()
        theirs.close()
        return _Process(process, ours)

    @staticmethod
    def _dismiss(workers: list[_Worker]) -> None:
        """Lets idle workers exit by themselves, so that they release what they hold (locks, an
        engine).
        """
        for worker in workers:
            with suppress(OSError):  # it has ended already
                worker.own.connection.send(None)
        for worker in workers:
            worker.own.process.join(PATIENCE)

    def _assign(
        self, workers: list[_Worker], schedule: JobSchedule, notify: Callable[[Event], None]
    ) -> None:
        for worker in (w for w in workers if w.job is None and not w.is_gone):
            job = schedule.next()
            if job is None:
                return
            worker.job, worker.started = job, time.monotonic()
            notify(Event("start", job))
            if job.runs_method:
                worker.method = self._start(self.run_method, worker.gpus)
            worker.busy.connection.send(job)

    def _collect(
        self, workers: list[_Worker], schedule: JobSchedule, notify: Callable[[Event], None]
    ) -> None:
        """Waits for the next answer or death among the busy workers."""
        busy = {sign: w for w in workers if w.job for sign in w.signs}
        for ready in wait(list(busy), timeout=1.0):
            worker = busy[ready]
            # The other sign of a process handled just now; its successor has not answered yet.
            if worker.job is None or ready not in worker.signs:
                continue
            job, seconds = worker.job, time.monotonic() - worker.started
            kind, message = _answer(worker.busy)
            if worker.method and self._goes_on(worker, message):
                continue
            worker.job = None
            schedule.end(job, message)
            notify(Event(kind, job, message, seconds))

    def _goes_on(self, worker: _Worker, message: str) -> bool:
        """Ends the method's process; if it succeeded, hands the job to the worker's own process."""
        assert worker.method is not None
        _end([worker.method.process])
        worker.method = None
        if message != OK:
            return False
        if worker.is_gone:
            worker.own = self._start(self.execute, worker.gpus)
        worker.own.connection.send(worker.job)
        return True


def _end(processes: Iterable[BaseProcess]) -> None:
    """Ends processes; kills those that ignore the signal, as a method's library might."""
    processes = list(processes)
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(PATIENCE)
        process.kill()
        process.join()


def _answer(running: _Process) -> tuple[str, str]:
    """The kind and the message of the resulting event."""
    try:
        message, running.spent = running.connection.recv()
    except (EOFError, OSError):
        running.process.join()
        return "lost", f"the worker process died (exit code {running.process.exitcode})"
    return "done", message


def _clean_forks() -> Any:
    """A multiprocessing context that forks processes, in milliseconds, from a server which has
    imported what jobs need (importing transformers' models takes seconds) and run nothing else;
    without fork servers, one that spawns them.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context
