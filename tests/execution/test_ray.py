"""The executor on a Ray cluster of three nodes, of which one is lost on the way."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest
from test_executor import ends, job, prepare

from benchmark.core.inputs import Inputs
from benchmark.execution.local import LocalExecutor
from benchmark.execution.ray import RETRIES, RayExecutor
from benchmark.execution.run_plan import executor_named
from benchmark.pipeline.planner import Planner
from benchmark.pipeline.run_context import RunContext
from benchmark.pipeline.suite import load_suite
from benchmark.records.store import ResultStore

ray = pytest.importorskip("ray", reason="ray is missing: pip install 'palimpsest-bench[ray]'")
cluster_utils = pytest.importorskip("ray.cluster_utils")

pytestmark = pytest.mark.slow


@pytest.fixture
def cluster(monkeypatch):
    """A head and two more nodes, of one processor each."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), *os.sys.path]))
    own = cluster_utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    own.nodes = [own.add_node(num_cpus=1) for _ in range(2)]
    ray.init(address=own.address, log_to_driver=False)
    yield own
    ray.shutdown()
    own.shutdown()


def act(job):
    """Does what the job's name says, and leaves a mark each time."""
    word, _, place = job.id.partition(" ")
    if place:
        with Path(place).open("a") as file:
            file.write("started\n")
    if word == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if word == "raise":
        raise ValueError("first line\nlast line")
    if word == "wait":
        time.sleep(8)
    return "ok"


def run(jobs, notify):
    RayExecutor(prepare, act, act, 1, lambda job: False).run(jobs, notify)


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
        while not waiting.exists():
            time.sleep(0.1)
        node = _node_of(f"wait {waiting}") or cluster.nodes[0]
        cluster.remove_node(node, allow_graceful=False)

    def _node_of(name):
        from ray.util.state import list_tasks

        found = [t.node_id for t in list_tasks(filters=[("name", "=", name)]) if t.node_id]
        return next((n for n in cluster.nodes if n.node_id in found), None)

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


def test_a_suite_has_the_same_records_as_on_local_processes(cluster, tmp_path):
    suite = load_suite("smoke")
    inputs = Inputs(tmp_path / "home")
    made = {}
    for name in ("local", "ray"):
        context = RunContext(inputs, tmp_path / name)
        plan = Planner(inputs, context.results).plan(suite)
        events = []
        executor_named(name, context, workers=2).run(plan.jobs, events.append)
        assert {message for _, message in ends(events).values()} == {"ok"}
        made[name] = {record.id: record for record in ResultStore(tmp_path / name).read_all()}
    assert made["local"].keys() == made["ray"].keys()
    for record_id, record in made["local"].items():
        other = made["ray"][record_id]
        assert (other.outputs.sha256, other.values) == (record.outputs.sha256, record.values)
    assert isinstance(executor_named("local", context, 1), LocalExecutor)
