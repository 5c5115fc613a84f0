"""The executor on a Ray cluster of three nodes, one of which is lost during the run."""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
from test_executor import ends, job, prepare

from benchmark.core.inputs import Inputs
from benchmark.errors import BadInput
from benchmark.execution.ray import RETRIES, RayExecutor
from benchmark.execution.run_plan import executor_named
from benchmark.pipeline.planner import Planner
from benchmark.pipeline.run_context import RunContext
from benchmark.pipeline.suite import load_suite

ray = pytest.importorskip("ray", reason="ray is missing: pip install 'palimpsest-bench[ray]'")
cluster_utils = pytest.importorskip("ray.cluster_utils")

pytestmark = pytest.mark.slow


@pytest.fixture
def cluster(monkeypatch):
    """Three nodes with one CPU each, and a head node that runs no jobs."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), *sys.path]))
    own = cluster_utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    own.nodes = [own.add_node(num_cpus=1) for _ in range(3)]
    ray.init(address=own.address, log_to_driver=False)
    yield own
    ray.shutdown()
    own.shutdown()


def act(job):
    """Does what the job's name says and, if it holds a path, appends the id of the node there."""
    word, _, place = job.id.partition(" ")
    if place:
        with Path(place).open("a") as file:
            file.write(f"{ray.get_runtime_context().get_node_id()}\n")
    if word.startswith("gpus"):
        return " ".join(map(str, ray.get_gpu_ids())) or "none"
    if word == "needs":
        return json.dumps(ray.get_runtime_context().get_assigned_resources())
    if word == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if word == "raise":
        raise ValueError("first line\nlast line")
    if word == "wait":
        time.sleep(8)
    return "ok"


def run(jobs, notify):
    RayExecutor(prepare, act, act, 1, lambda job: 0).run(jobs, notify)


def test_dependencies_dead_workers_and_lost_nodes(cluster, tmp_path):
    dying, waiting = tmp_path / "dying", tmp_path / "waiting"
    jobs = [
        job("b", ["a"]),
        job("a", kind="model"),
        job("raise", kind="model"),
        job("x", ["raise"]),
        job(f"die {dying}", kind="model"),
        job(f"wait {waiting}", kind="model"),
    ]
    events = []

    def lose_a_node():
        """Removes the node that runs the waiting job."""
        while not (waiting.exists() and waiting.read_text().endswith("\n")):
            time.sleep(0.1)
        node_id = waiting.read_text().split()[0]
        node = next(node for node in cluster.nodes if node.node_id == node_id)
        cluster.remove_node(node, allow_graceful=False)

    loser = threading.Thread(target=lose_a_node)
    loser.start()
    run(jobs, events.append)
    loser.join()
    found = ends(events)
    order = [(e.kind, e.job.id) for e in events]
    assert order.index(("start", "b")) > order.index(("done", "a"))
    assert found["b"] == ("done", "ok")
    assert found["raise"] == ("done", "last line") or "last line" in found["raise"][1]
    assert found["x"][0] == "skipped"
    assert found[f"die {dying}"][0] == "lost"
    assert len(dying.read_text().split()) == 1 + RETRIES
    assert found[f"wait {waiting}"] == ("done", "ok")
    first, second = waiting.read_text().split()
    assert first != second


def test_a_job_has_as_many_gpus_as_it_needs(cluster):
    """The three nodes have no GPU; a fourth has two."""
    cluster.nodes.append(cluster.add_node(num_cpus=1, num_gpus=2))
    needs, events = {"gpus2": 2, "gpus1": 1, "gpus0": 0}, []
    executor = RayExecutor(prepare, act, act, 1, lambda job: needs[job.id])
    executor.run([job(name) for name in needs], events.append)
    given = {name: said for name, (_, said) in ends(events).items()}
    assert sorted(given["gpus2"].split()) == ["0", "1"]
    assert given["gpus1"] in ("0", "1")
    assert given["gpus0"] == "none"


def test_a_job_has_the_processors_and_the_memory_that_it_needs(cluster):
    """At most as many CPUs as the largest node has; the driver may have more."""
    cluster.nodes.append(cluster.add_node(num_cpus=3))
    for threads, given in ((2, 2), (8, 3)):
        events = []
        executor = RayExecutor(prepare, act, act, threads, lambda job: 0, lambda job: 10**6)
        executor.run([job("needs", kind="model")], events.append)
        assigned = json.loads(ends(events)["needs"][1])
        assert assigned["CPU"] == given
        assert assigned["memory"] == pytest.approx(10**6, rel=0.01)


def test_what_no_node_can_hold_is_refused_before_anything_runs(cluster):
    executor = RayExecutor(prepare, act, act, 1, lambda job: 0, lambda job: 10**15)
    said, events = "1 CPU, 1000000000000000 memory", []
    with pytest.raises(BadInput, match=f"^b needs {said}: no node of the cluster has that$"):
        executor.run([job("b")], events.append)
    assert not events


def test_jobs_are_lost_with_the_last_node_that_could_hold_them(cluster, monkeypatch, tmp_path):
    """One job runs on that node and another waits for it; jobs that fit on other nodes are done."""
    monkeypatch.setattr("benchmark.execution.ray.PATIENCE", 3.0)
    waiting, events = tmp_path / "waiting", []
    last = cluster.add_node(num_cpus=1, num_gpus=1)

    def lose_it():
        while not waiting.exists():
            time.sleep(0.1)
        cluster.remove_node(last, allow_graceful=False)

    loser = threading.Thread(target=lose_it)
    loser.start()
    needs = {f"wait {waiting}": 1, "gpus1": 1, "b": 0}
    jobs = [job(name, kind="model") for name in needs]
    RayExecutor(prepare, act, act, 1, lambda job: needs[job.id]).run(jobs, events.append)
    loser.join()
    found = ends(events)
    lost = ("lost", "the last node with 1 CPU, 1 GPU was lost")
    assert found == {f"wait {waiting}": lost, "gpus1": lost, "b": ("done", "ok")}


def test_a_suite_has_the_same_records_as_on_local_processes_though_a_node_is_lost(
    cluster, tmp_path
):
    suite = load_suite("smoke")
    few = [entry for entry in suite.methods if entry.name in ("none", "npo")]
    suite = suite.model_copy(update={"methods": few})
    made = {}
    for name in ("local", "ray"):
        # Each executor trains its models anew.
        context = RunContext(Inputs(tmp_path / f"home of {name}"), tmp_path / name)
        plan = Planner(context.inputs, context.results).plan(suite)
        events = []

        def hear(event, name=name, events=events):
            events.append(event)
            cells = [e for e in events if (e.kind, e.job.kind) == ("start", "cell")]
            if name == "ray" and event in cells[:1]:
                cluster.remove_node(cluster.nodes[0], allow_graceful=False)

        executor_named(name, context, workers=2).run(plan.jobs, hear)
        assert {message for _, message in ends(events).values()} == {"ok"}
        made[name] = {record.id: record for record in context.results.read_all()}
    assert len(cluster.list_all_nodes()) == 3  # the head and two others
    assert made["local"].keys() == made["ray"].keys()
    for record_id, record in made["local"].items():
        other = made["ray"][record_id]
        assert (other.outputs, other.values) == (record.outputs, record.values)
