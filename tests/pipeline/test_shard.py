"""Shards of a plan, and two shards running at once on the same folders."""

import os
import subprocess
import sys

import pytest

from benchmark.core.inputs import Inputs
from benchmark.errors import BadInput
from benchmark.models.artifacts import MADE
from benchmark.pipeline.planner import Planner
from benchmark.pipeline.shard import parsed_shard, shard_of
from benchmark.pipeline.suite import load_suite
from benchmark.records.store import ResultStore


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    inputs = Inputs(folder / "home")
    return Planner(inputs, ResultStore(folder / "results")).plan(load_suite("cpu"))


@pytest.mark.parametrize("of", [1, 2, 5])
def test_every_cell_is_in_exactly_one_shard(plan, of):
    shards = [shard_of(plan, number, of) for number in range(1, of + 1)]
    cells = [cell.id for shard in shards for cell in shard.cells]
    assert sorted(cells) == sorted(cell.id for cell in plan.cells)
    sizes = [len(shard.cells) for shard in shards]
    assert max(sizes) < 2 * len(plan.cells) / of


def test_a_shard_has_the_models_and_references_that_its_cells_need(plan):
    shard = shard_of(plan, 1, 40)
    own = {job.id for job in shard.jobs}
    everything = {job.id for job in plan.jobs}
    for job in shard.jobs:
        assert job.needs & everything <= own
    assert {job.cells[0].id for job in shard.jobs if job.kind == "cell"} == {
        cell.id for cell in shard.cells
    }
    ids = {cell.id for cell in shard.references}
    assert all({cell.target_id, *cell.oracle_ids} <= ids for cell in shard.cells)


def test_a_shard_without_a_cell_of_the_first_target_has_it_for_its_oracles(plan):
    """The oracles are compared with this target, and are scored with their shard."""
    shards = [shard_of(plan, number, 300) for number in range(1, 301)]
    apart = [s for s in shards if s.cells and all(cell.seed for cell in s.cells)]
    assert apart
    for shard in shards:
        ids = {cell.id for cell in shard.references}
        assert {cell.target_id for cell in shard.references} <= ids


def test_the_only_shard_is_the_plan(plan):
    assert shard_of(plan, 1, 1) == plan


@pytest.mark.parametrize("text", ["", "1", "0/2", "3/2", "a/b", "1/2/3", "-1/2"])
def test_what_names_no_shard_is_bad_input(text):
    with pytest.raises(BadInput, match="--shard"):
        parsed_shard(text)


LOGGED = """
from pathlib import Path
from benchmark.api import Method, register_method

@register_method("logged", reference="", family="anchor", sees=set())
class Logged(Method):
    def unlearn(self, model, request):
        with (Path(__file__).parent / "runs").open("a") as log:
            log.write(f"{request.seed}\\n")
        return model
"""
SUITE = """
name: twice
description: Four cells
tracks: [tiny-dev]
tasks: [frequency/low]
oracles: 2
attacks: [quantize_int4_g64]
methods: [none, {name: FILE, seeds: 3}]
"""


@pytest.mark.slow
def test_a_shard_with_a_home_of_its_own_trains_no_model_that_the_store_has(tmp_path):
    method, suite, out = tmp_path / "logged.py", tmp_path / "twice.yaml", tmp_path / "results"
    method.write_text(LOGGED)
    suite.write_text(SUITE.replace("FILE", f"{method}:Logged"))
    command = [sys.executable, "-m", "benchmark.cli", "run", "--suite", str(suite)]
    command += ["--out", str(out), "--workers", "1"]
    store, made = tmp_path / "store", []
    for shard in ("1/2", "2/2"):
        homes = {
            "PALIMPSEST_HOME": str(tmp_path / shard[0]),
            "PALIMPSEST_STORE": store.as_uri(),
        }
        subprocess.run(
            [*command, "--shard", shard], env=os.environ | homes, capture_output=True, check=True
        )
        made.append({path: path.stat().st_mtime_ns for path in store.rglob(MADE)})
    assert len(made[0]) >= 4  # base, target, two oracles
    assert made[0].items() <= made[1].items()
    records = list(ResultStore(out).read_all())
    assert [record.status for record in records] == ["ok"] * 7


@pytest.mark.slow
def test_two_shards_at_once_share_models_and_run_every_cell_once(tmp_path):
    method, suite, out = tmp_path / "logged.py", tmp_path / "twice.yaml", tmp_path / "results"
    method.write_text(LOGGED)
    suite.write_text(SUITE.replace("FILE", f"{method}:Logged"))
    environment = os.environ | {"PALIMPSEST_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-m", "benchmark.cli", "run", "--suite", str(suite)]
    command += ["--out", str(out), "--workers", "1"]
    shards = [
        subprocess.Popen(
            [*command, "--shard", shard], env=environment, stdout=subprocess.PIPE, text=True
        )
        for shard in ("1/2", "2/2")
    ]
    said = [shard.communicate()[0] for shard in shards]
    assert [shard.returncode for shard in shards] == [0, 0], said
    assert sorted((tmp_path / "runs").read_text().split()) == ["0", "1", "2"]
    again = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "7 cells, 7 cached, 0 jobs" in again.stdout
    assert sorted((tmp_path / "runs").read_text().split()) == ["0", "1", "2"]
    records = list(ResultStore(out).read_all())
    assert {record.status for record in records} == {"ok"}
    assert sorted(record.method.name for record in records) == sorted(
        ["none", *["logged"] * 3, "target", *["oracle"] * 2]
    )
