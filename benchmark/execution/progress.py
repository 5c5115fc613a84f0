"""The progress display of a run: cached, running and failed jobs, and the time left."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Table

from benchmark.execution.estimates import Estimates, clock, wall_seconds
from benchmark.execution.schedule import OK, Event
from benchmark.pipeline.plan import Job


class RunDisplay:
    """On a terminal a live progress bar above the running jobs; elsewhere one line per finished
    job.
    """

    def __init__(
        self, console: Console, jobs: Sequence[Job], cached: int, estimates: Estimates, workers: int
    ) -> None:
        self.console, self.workers = console, workers
        # Computed once, since an estimate may read the task's data.
        self.open = {job.id: (job, estimates.seconds(job)) for job in jobs}
        self.running: dict[str, tuple[Job, float]] = {}
        self.cached, self.finished, self.failures = cached, 0, 0
        self.started, self.estimated, self.spent = time.monotonic(), 0.0, 0.0
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TaskProgressColumn(),
        )
        self.task = self.bar.add_task("running", total=len(jobs))
        self.live = Live(
            self._render(), console=console, refresh_per_second=2, get_renderable=self._render
        )

    def __enter__(self) -> RunDisplay:
        if self.console.is_terminal:
            self.live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if self.console.is_terminal:
            self.live.__exit__(kind, error, tb)

    def time_left(self) -> float:
        """Seconds left: the estimates of open jobs, scaled by the ratio of actual to estimated time
        of finished jobs.
        """
        pace = self.spent / self.estimated if self.estimated else 1.0
        return pace * wall_seconds(self.open.values(), self.workers)

    def notify(self, event: Event) -> None:
        """Updates the display with an executor's event."""
        if event.kind == "start":
            self.running[event.job.id] = (event.job, time.monotonic())
            return
        self.running.pop(event.job.id, None)
        _, estimated = self.open.pop(event.job.id, (event.job, 0.0))
        self.finished += 1
        if event.seconds and event.message == OK:  # failed jobs end early
            self.estimated += estimated
            self.spent += event.seconds
        self.bar.update(self.task, completed=self.finished)
        self._report(event)

    def _report(self, event: Event) -> None:
        if event.message != OK:
            self.failures += 1
            said = escape(f"{event.job.label}: {event.message}")
            self.console.print(f"[red]failed[/] {said}", highlight=False)
        elif not self.console.is_terminal:
            left = clock(self.time_left())
            done = f"[{self.finished}/{self.finished + len(self.open)}]"
            self.console.print(
                f"{done} {event.job.label}: {event.seconds:.1f} s, about {left} left", markup=False
            )

    def _render(self) -> Table:
        passed = clock(time.monotonic() - self.started)
        grid = Table.grid()
        grid.add_row(self.bar)
        grid.add_row(
            f"{self.cached} cached · {self.failures} failed · {passed} · about "
            f"{clock(self.time_left())} left"
        )
        for job, since in self.running.values():
            grid.add_row(f"  [cyan]{escape(job.label)}[/] {clock(time.monotonic() - since)}")
        return grid
