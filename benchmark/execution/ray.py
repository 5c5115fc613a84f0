"""Execution on a Ray cluster: jobs are Ray tasks that reserve the CPUs and GPUs they need. A task
whose node or worker is lost is retried wherever there is room.
"""

from __future__ import annotations

import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from benchmark.errors import BadInput
from benchmark.execution.schedule import OK, Event, JobSchedule
from benchmark.pipeline.plan import Job

Act = Callable[[Job], str]
RETRIES = 2  # per task whose node or worker is lost
WAITING = 1.0  # seconds between checks of the cluster while no task ends
PATIENCE = 60.0  # seconds that a task may wait while no node could hold it

Resources = Mapping[str, float]


@dataclass
class _Task:
    """A running job; `halves` are its remaining halves, in order, `held` the last time at which a
    node of the cluster could hold it.
    """

    job: Job
    needed: Resources
    halves: list[Act]
    started: float
    held: float


def _perform(prepare: Callable[[], None], act: Act, job: Job) -> str:
    prepare()
    try:
        return act(job)
    except Exception as error:  # reported to the run, which knows which jobs depend on this one
        return traceback.format_exception_only(error)[-1].strip()


class RayExecutor:
    """Runs jobs on the cluster at RAY_ADDRESS, or on this machine. `prepare`, `run_method` and
    `execute` are as for `LocalExecutor`, and must be importable on every node.

    A job reserves `threads` CPUs, or as many as the largest node has. If the cluster has GPUs, it
    reserves `gpus_of(job)` of them; a job without a GPU reserves `memory_of(job)` bytes of the
    node's memory for its models. Home and output folder must be the same on all nodes. A method
    runs in a process that ends with it, and so does its evaluation, which may run code of a
    guardrail's class.
    """

    def __init__(
        self,
        prepare: Callable[[], None],
        run_method: Act,
        execute: Act,
        threads: int,
        gpus_of: Callable[[Job], int],
        memory_of: Callable[[Job], int] = lambda job: 0,
    ) -> None:
        self.prepare, self.run_method, self.execute = prepare, run_method, execute
        self.threads, self.gpus_of, self.memory_of = threads, gpus_of, memory_of

    def run(self, jobs: Sequence[Job], notify: Callable[[Event], None]) -> None:
        """Runs all jobs; calls `notify` in this process at each start and end of a job.

        A job whose dependency failed is skipped. On an interrupt the tasks are terminated at once:
        files being written keep their temporary names. BadInput if no node can hold a job; a job
        that no node can hold any longer is lost after PATIENCE seconds.
        """
        with _cluster() as ray:
            needs = {job.id: self._resources(ray, job) for job in jobs}
            _require_nodes(ray, [(job.label, needs[job.id]) for job in jobs])
            running: dict[Any, _Task] = {}
            schedule = JobSchedule(jobs)
            try:
                while schedule.unfinished:
                    for job in schedule.skip():
                        notify(Event("skipped", job, "a job it depends on failed"))
                    self._assign(ray, needs, running, schedule, notify)
                    self._collect(ray, running, schedule, notify)
                    _give_up(ray, running, schedule, notify)
            finally:
                for reference in running:
                    ray.cancel(reference, force=True)

    def _assign(
        self,
        ray: Any,
        needs: Mapping[str, Resources],
        running: dict[Any, _Task],
        schedule: JobSchedule,
        notify: Callable[[Event], None],
    ) -> None:
        """Starts as many jobs as the cluster has room for, and at least one if none is running."""
        free = Counter(ray.cluster_resources())
        for task in running.values():
            free.subtract(task.needed)

        def fits(job: Job) -> bool:
            return not running or all(n <= free[name] for name, n in needs[job.id].items())

        while job := schedule.next(fits):
            free.subtract(needs[job.id])
            notify(Event("start", job))
            halves = [self.run_method, self.execute] if job.runs_method else [self.execute]
            now = time.monotonic()
            task = _Task(job, needs[job.id], halves, now, now)
            running[self._submit(ray, task)] = task

    def _resources(self, ray: Any, job: Job) -> Resources:
        """The resources that a job takes of a node, by Ray's names."""
        gpus = self.gpus_of(job) if ray.cluster_resources().get("GPU") else 0
        largest = max((node.get("CPU", 0) for node in _nodes(ray)), default=0)
        threads = min(self.threads, max(1, int(largest)))
        return {"CPU": threads, "GPU": gpus, "memory": 0 if gpus else self.memory_of(job)}

    def _submit(self, ray: Any, task: _Task) -> Any:
        """Submits the first of the remaining halves of a job."""
        job = task.job
        # A process that has imported a method's code is not used again.
        calls = 1 if job.runs_method else 0  # 0: unlimited
        remote = ray.remote(
            num_cpus=task.needed["CPU"],
            num_gpus=task.needed["GPU"],
            memory=task.needed["memory"],
            max_retries=RETRIES,
            max_calls=calls,
        )(_perform)
        return remote.options(name=job.label).remote(self.prepare, task.halves.pop(0), job)

    def _collect(
        self,
        ray: Any,
        running: dict[Any, _Task],
        schedule: JobSchedule,
        notify: Callable[[Event], None],
    ) -> None:
        """Waits for a task to end and reports it, or submits its other half."""
        if not running:
            return
        ended, _ = ray.wait(list(running), num_returns=1, timeout=WAITING)
        for reference in ended:
            task = running.pop(reference)
            kind, message = _answer(ray, reference)
            if message == OK and task.halves:
                running[self._submit(ray, task)] = task
                continue
            schedule.end(task.job, message)
            notify(Event(kind, task.job, message, time.monotonic() - task.started))


def _nodes(ray: Any) -> list[Resources]:
    """The total resources of each live node."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def _can_hold(nodes: Sequence[Resources], needed: Resources) -> bool:
    return any(all(node.get(name, 0) >= n for name, n in needed.items()) for node in nodes)


def _said(needed: Resources) -> str:
    return ", ".join(f"{n} {name}" for name, n in needed.items() if n)


def _require_nodes(ray: Any, needs: Iterable[tuple[str, Resources]]) -> None:
    """BadInput if no node has the resources that a job, named by its label, needs."""
    nodes = _nodes(ray)
    for label, needed in needs:
        if not _can_hold(nodes, needed):
            raise BadInput(f"{label} needs {_said(needed)}: no node of the cluster has that")


def _give_up(
    ray: Any,
    running: dict[Any, _Task],
    schedule: JobSchedule,
    notify: Callable[[Event], None],
) -> None:
    """Cancels tasks that no node could hold for PATIENCE seconds: Ray would keep them waiting."""
    nodes, now = _nodes(ray), time.monotonic()
    for reference, task in list(running.items()):
        if _can_hold(nodes, task.needed):
            task.held = now
        elif now - task.held > PATIENCE:
            ray.cancel(reference, force=True)
            del running[reference]
            message = f"the last node with {_said(task.needed)} was lost"
            schedule.end(task.job, message)
            notify(Event("lost", task.job, message, now - task.started))


def _answer(ray: Any, reference: Any) -> tuple[str, str]:
    """The kind and the message of the resulting event."""
    try:
        return "done", ray.get(reference)
    except ray.exceptions.RayError as error:
        first = str(error).strip().partition("\n")[0]
        return "lost", f"{type(error).__name__}: {first}"


@contextmanager
def _cluster() -> Iterator[Any]:
    """Ray, connected to a cluster; it is disconnected at the end if it was not connected before."""
    try:
        import ray
    except ImportError:
        raise BadInput(
            "--executor ray: ray is missing; pip install 'palimpsest-bench[ray]'"
        ) from None
    ours = not ray.is_initialized()
    if ours:
        ray.init(log_to_driver=False, configure_logging=False)
    try:
        yield ray
    finally:
        if ours:
            ray.shutdown()
