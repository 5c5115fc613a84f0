"""The remaining time that a run displays."""

import io
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from benchmark.core.inputs import Inputs
from benchmark.execution.progress import RunDisplay
from benchmark.execution.schedule import Event
from benchmark.models.tracks import track_named
from benchmark.pipeline.plan import Job
from benchmark.pipeline.variant import Variant

VARIANT = Variant(track_named("controlled-1m"), "task", "variant", 2, Inputs(Path("home")))


def display_of(seconds, workers=1):
    """(display, jobs, asked): a display of jobs with these estimates; `asked` logs estimates."""
    asked = []

    def estimated(job):
        asked.append(job.id)
        return seconds[job.id]

    jobs = [Job(name, "cell", name, frozenset(), VARIANT) for name in seconds]
    console = Console(file=io.StringIO(), width=200)
    display = RunDisplay(console, jobs, 0, SimpleNamespace(seconds=estimated), workers)
    return display, jobs, asked


def test_the_time_left_follows_how_finished_jobs_turned_out():
    display, (first, *_), asked = display_of({"a": 10.0, "b": 20.0, "c": 40.0}, workers=2)
    assert display.time_left() == pytest.approx(35)
    display.notify(Event("start", first))
    display.notify(Event("done", first, "ok", 30.0))
    assert display.time_left() == pytest.approx(3 * 60 / 2)
    assert asked == ["a", "b", "c"], "an estimate may read the data of a task"


def test_what_fails_at_once_makes_nothing_faster():
    display, (first, *_), _ = display_of({"a": 600.0, "b": 600.0})
    display.notify(Event("done", first, "no memory", 0.5))
    assert display.time_left() == pytest.approx(600)
    assert display.failures == 1


@pytest.mark.parametrize("message", ["no file [/home/x]", "expected list[int], [bold]not this"])
def test_brackets_in_what_a_method_says_are_no_markup(message):
    display, (first,), _ = display_of({"a": 1.0})
    display.notify(Event("done", first, message, 0.5))
    assert display.console.file.getvalue() == f"failed a: {message}\n"
