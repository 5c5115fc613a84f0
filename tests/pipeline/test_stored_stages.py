"""Stages of a cell: a stage measured before a run was interrupted is not measured again."""

from types import SimpleNamespace

import pytest

from benchmark.core.inputs import Inputs
from benchmark.models.artifacts import ArtifactStore
from benchmark.pipeline import measure, unlearn
from benchmark.pipeline.execute import execute
from benchmark.pipeline.plan import Cell
from benchmark.pipeline.planner import Planner
from benchmark.pipeline.run_context import RunContext
from benchmark.pipeline.stages import KIND, StoredStages
from benchmark.pipeline.suite import Suite
from benchmark.records.identity import Evaluation
from benchmark.records.store import OUTPUTS_SUFFIX, ResultStore

EVALUATION = Evaluation(generation={})


def cell_of(identity, evaluation=EVALUATION):
    return Cell(identity, "alpha", {}, evaluation, recipes={}, source="world")


@pytest.fixture
def stages(tmp_path, make_identity):
    return StoredStages(ArtifactStore(tmp_path), cell_of(make_identity("alpha", 0)))


def test_a_stage_is_measured_once(stages, make_sample):
    calls = []

    def measured():
        calls.append(1)
        return [make_sample()]

    first, second = stages.get("request 01", measured), stages.get("request 01", measured)
    assert [vars(s)["generation"] for s in first] == [vars(s)["generation"] for s in second]
    assert len(calls) == 1
    assert stages.seconds["request 01"] >= 0
    stages.clear()
    assert list((stages.store.home / KIND).iterdir()) == []


def test_a_stage_that_failed_is_not_stored(stages, make_sample):
    def broken():
        raise MemoryError

    with pytest.raises(MemoryError):
        stages.get("evaluate", broken)
    assert len(stages.get("evaluate", lambda: [make_sample()])) == 1


def test_a_stage_that_is_asked_otherwise_is_measured_again(stages, make_identity, make_sample):
    changed = cell_of(make_identity("alpha", 0), Evaluation(generation={"max_new_tokens": 7}))
    assert changed.id == stages.cell.id
    stages.get("request 01", lambda: [make_sample(generation="short")])
    found = StoredStages(stages.store, changed).get("request 01", lambda: [make_sample()])
    assert found[0].generation == make_sample().generation


def test_stages_of_a_record_are_not_measured_and_keep_their_seconds(stages, make_sample):
    stages.reuse({"model": [make_sample()]}, {"model": 1.5, "unlearn": 9.0})
    assert len(stages.get("model", lambda: pytest.fail("it was recorded"))) == 1
    assert stages.seconds == {"model": 1.5}


def test_clearing_one_cell_leaves_the_others(stages, make_identity, make_sample):
    other = StoredStages(stages.store, cell_of(make_identity("alpha", 1)))
    for own in (stages, other):
        own.get("evaluate", lambda: [make_sample()])
    stages.clear()
    other.get("evaluate", lambda: pytest.fail("it was stored"))


class Killed(BaseException):
    """Simulates the end of the process."""


@pytest.fixture
def place(tmp_path):
    return RunContext(Inputs(tmp_path / "home"), tmp_path / "out")


def run(place):
    suite = Suite(
        name="stages",
        description="one cell",
        tracks=["tiny"],
        tasks=["frequency/low"],
        methods=["grad_diff"],
        oracles=2,
    )
    return Planner(place.inputs, ResultStore(place.out)).plan(suite)


def outputs_of(place, cell):
    return cell.path(place.results).with_suffix(OUTPUTS_SUFFIX).read_bytes()


def test_a_cell_that_was_killed_under_attack_repeats_only_that_attack(
    tiny, place, tmp_path, monkeypatch
):
    plan = run(place)
    *before, last = plan.jobs
    for job in before:
        assert execute(job, place) == "ok"
    first, second = last.variant.track.attacks[:2]

    def killed(*_):
        raise Killed

    def unwanted(*_, **__):
        pytest.fail("it was done before the kill")

    cell = last.cells[0]
    with monkeypatch.context() as patch:
        patch.setattr(type(second), "apply", killed)
        patch.setattr("benchmark.pipeline.execute._recorded", lambda *args: args[-1]() or "ok")
        with pytest.raises(Killed):
            execute(last, place)
    assert not cell.is_done(place.results)
    with monkeypatch.context() as patch:
        patch.setattr(unlearn, "_after_request", unwanted)
        patch.setattr(measure, "harness_samples", unwanted)
        patch.setattr(type(first), "apply", unwanted)
        assert execute(last, place) == "ok"
    again = RunContext(place.inputs, tmp_path / "other")
    for job in run(again).jobs:
        assert execute(job, again) == "ok"
    assert outputs_of(place, cell) == outputs_of(again, cell)
    for kind in (KIND, "partial"):
        assert [p for p in (place.inputs.home / kind).iterdir() if cell.id in p.name] == []


def test_the_model_of_a_target_is_loaded_once_for_its_proxy_references(monkeypatch):
    loaded = []
    models = SimpleNamespace(load=lambda folder: (loaded.append(folder), "tokenizer"))
    monkeypatch.setattr(measure, "models_of", lambda track, inputs: models)
    monkeypatch.setattr(measure, "weights_digest", lambda model: f"digest {len(loaded)}")
    loader = measure._Loader(SimpleNamespace(track=None), SimpleNamespace(inputs=None))
    assert [loader.load("target")[2] for _ in range(3)] == ["digest 1"] * 3
    loader.load("other")
    assert loader.load("target")[2] == "digest 3", "only the last one is held"
    assert loaded == ["target", "other", "target"]
