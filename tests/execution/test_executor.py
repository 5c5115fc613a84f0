"""The local executor: order, dependencies, and workers that die."""

import os
import signal
import time
from multiprocessing import util
from multiprocessing.connection import wait
from pathlib import Path

import pytest

from benchmark.core.inputs import Inputs
from benchmark.execution import local
from benchmark.execution.local import LocalExecutor
from benchmark.execution.schedule import JobSchedule
from benchmark.models.tracks import track_named
from benchmark.pipeline.plan import Job
from benchmark.pipeline.variant import Variant


def job(name, needs=(), kind="cell"):
    return Job(
        name,
        kind,
        name,
        frozenset(needs),
        Variant(track_named("controlled-1m"), "task", "variant", 2, Inputs(Path("home"))),
    )


def prepare():
    """Nothing to prepare."""


def evaluate(job):
    """Stands in for the evaluation after a method, and for jobs without a method."""
    time.sleep(3.0 if "slow" in job.id else 1.0)
    return "ok"


STAINS = []


def is_stained():
    return bool(STAINS)


def act(job):
    """Does what the job's name says, in a worker."""
    if "die" in job.id:
        os.kill(os.getpid(), signal.SIGKILL)
    if "stubborn" in job.id:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "hold" in job.id:
        util.Finalize(
            None, Path(job.id.removeprefix("hold ")).write_text, ["given back"], exitpriority=0
        )
    if "stain" in job.id:
        assert not is_stained(), "another job stained this process"
        STAINS.append(job.id)
    if "gpus" in job.id:
        time.sleep(0.5)  # long enough for each worker to get a job
        Path(job.id.removeprefix("gpus ")).write_text(os.environ.get("CUDA_VISIBLE_DEVICES", "all"))
    if "raise" in job.id:
        raise ValueError("first line\nlast line")
    time.sleep(0.05)
    return "ok"


def run(jobs, workers=2):
    events = []
    LocalExecutor([""] * workers, prepare, act, act, is_stained).run(jobs, events.append)
    return events


def ends(events):
    return {e.job.id: (e.kind, e.message) for e in events if e.kind != "start"}


def test_dependencies_come_first_and_every_job_ends_once():
    events = run([job("c", ["a", "b"]), job("a", kind="model"), job("b", kind="model"), job("d")])
    finished = [e.job.id for e in events if e.kind == "done"]
    assert sorted(finished) == ["a", "b", "c", "d"]
    order = [(e.kind, e.job.id) for e in events]
    assert order.index(("start", "c")) > max(order.index(("done", "a")), order.index(("done", "b")))


def test_what_is_there_already_is_no_obstacle():
    assert ends(run([job("a", needs=["cached long ago"])])) == {"a": ("done", "ok")}


def test_a_dead_worker_costs_its_job_and_no_other():
    found = ends(run([job("die"), *(job(f"j{i}") for i in range(5))]))
    assert found["die"] == ("lost", "the worker process died (exit code -9)")
    assert all(found[f"j{i}"] == ("done", "ok") for i in range(5))


def test_a_method_that_ignores_the_signal_to_end_keeps_nobody_waiting(monkeypatch):
    monkeypatch.setattr(local, "PATIENCE", 0.5)
    events = []
    executor = LocalExecutor([""], prepare, act, evaluate, is_stained)
    started = time.monotonic()
    executor.run([job("stubborn"), job("next")], events.append)
    assert ends(events) == {"stubborn": ("done", "ok"), "next": ("done", "ok")}
    assert time.monotonic() - started < 30


def test_a_process_that_is_spent_does_no_further_job():
    """Its result counts, and another process runs the remaining jobs."""
    found = ends(run([job(f"stain {i}") for i in range(3)], workers=1))
    assert found == {f"stain {i}": ("done", "ok") for i in range(3)}


def test_workers_give_back_what_they_hold_when_all_is_done(tmp_path):
    run([job(f"hold {tmp_path / name}") for name in ("a", "b")])
    assert (tmp_path / "a").read_text() == (tmp_path / "b").read_text() == "given back"


@pytest.mark.parametrize(("gpus", "seen"), [(["0,1", "2"], {"0,1", "2"}), (["", ""], {"all"})])
def test_each_worker_has_its_own_gpus(tmp_path, monkeypatch, gpus, seen):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    jobs = [job(f"gpus {tmp_path / name}") for name in ("a", "b")]
    LocalExecutor(gpus, prepare, act, act, is_stained).run(jobs, lambda event: None)
    assert {path.read_text() for path in tmp_path.iterdir()} == seen


def test_jobs_that_wait_for_each_other_are_an_error_and_no_endless_wait():
    with pytest.raises(RuntimeError, match="2 jobs wait for each other, first x"):
        run([job("a"), job("x", ["y"]), job("y", ["x"])])


def test_what_needs_a_failed_job_is_skipped():
    found = ends(
        run([job("raise", kind="model"), job("x", ["raise"]), job("y", ["x"]), job("z")], workers=1)
    )
    assert found["raise"][0] == "done"
    assert "last line" in found["raise"][1]
    assert found["x"][0] == found["y"][0] == "skipped"
    assert found["z"] == ("done", "ok")


def test_a_schedule_starts_what_is_ready_and_names_what_never_will_start():
    schedule = JobSchedule([job("c", ["a"]), job("a", kind="model"), job("b"), job("d", ["c"])])
    first, second = schedule.next(), schedule.next()
    assert (first.id, second.id, schedule.next()) == ("a", "b", None)
    schedule.end(second, "a cell that failed is a record")
    assert schedule.skip() == []
    schedule.end(first, "out of memory")
    assert [skipped.id for skipped in schedule.skip()] == ["c", "d"]
    assert schedule.skip() == []
    assert not schedule.unfinished


def test_a_long_evaluation_keeps_nobody_waiting(monkeypatch):
    """A method's process answers and exits before the run polls: two signals, but one result."""

    def late(signs, timeout):
        time.sleep(0.3)
        return wait(signs, timeout)

    monkeypatch.setattr(local, "wait", late)
    events = []
    jobs = [job("slow stain"), job("brief", kind="model")]
    LocalExecutor(["", ""], prepare, act, evaluate, is_stained).run(jobs, events.append)
    assert [e.job.id for e in events if e.kind == "done"] == ["brief", "slow stain"]
