"""A finished cell that lacks a stage: only this stage is measured, and only on the same model."""

import shutil
from collections import Counter
from dataclasses import replace

import pytest

from benchmark.core.inputs import Inputs
from benchmark.execution.estimates import WRITING_SECONDS, Estimates
from benchmark.metrics.stages import POINT, sort_of
from benchmark.models import tracks
from benchmark.pipeline import measure, unlearn
from benchmark.pipeline.execute import execute
from benchmark.pipeline.plan import failures
from benchmark.pipeline.planner import Planner
from benchmark.pipeline.run_context import RunContext
from benchmark.pipeline.suite import Suite
from benchmark.records.store import read_record
from benchmark.records.validation import Folder, validate

METHOD = "grad_diff"
pytestmark = pytest.mark.slow


def planned(place, oracles=2):
    suite = Suite(
        name="reuse",
        description="one cell",
        tracks=["tiny"],
        tasks=["frequency/low"],
        methods=[METHOD],
        oracles=oracles,
    )
    return Planner(place.inputs, place.results).plan(suite)


def run(place, oracles=2):
    plan = planned(place, oracles)
    for job in plan.jobs:
        assert execute(job, place) == "ok", job.label
    return [job.kind for job in plan.jobs]


WITHOUT = pytest.param(False, id="without models")
WITH = pytest.param(True, id="with kept models", marks=pytest.mark.audit)  # repeats all tests


@pytest.fixture(scope="module", params=[WITHOUT, WITH])
def finished(request, tiny, tmp_path_factory):
    """A finished run."""
    folder = tmp_path_factory.mktemp("finished")
    place = RunContext(Inputs(folder / "home"), folder / "out", keep_models=request.param)
    run(place)
    return place


@pytest.fixture
def place(finished, tmp_path):
    """A copy of the finished run that a test may change."""
    for name in ("home", "out"):
        shutil.copytree(finished.out.parent / name, tmp_path / name)
    return replace(finished, inputs=Inputs(tmp_path / "home"), out=tmp_path / "out")


@pytest.fixture
def more_attacks(tiny, shake, monkeypatch):
    more = replace(tiny, attacks=(*tiny.attacks, shake))
    monkeypatch.setattr(tracks, "_tracks", lambda: {"tiny": more})
    return shake


@pytest.fixture
def done(monkeypatch):
    """Counts unlearning requests, and examinations by stage."""
    counts = Counter()
    request, examine = unlearn._after_request, measure.examine

    def counted_request(*args, **kwargs):
        counts["unlearn"] += 1
        return request(*args, **kwargs)

    def counted_examine(predictor, splits, stage, generation):
        counts[stage] += 1
        return examine(predictor, splits, stage, generation)

    monkeypatch.setattr(unlearn, "_after_request", counted_request)
    monkeypatch.setattr(measure, "examine", counted_examine)
    return counts


def record_of(place):
    return read_record(planned(place).cells[0].path(place.results))


def test_a_model_is_kept_where_it_is_asked_for_and_only_there(place):
    cell = planned(place).cells[0]
    kept = [p for p in (place.inputs.home / "partial").glob(f"{cell.id}-*") if p.is_dir()]
    assert len(kept) == place.keep_models


def test_a_new_attack_runs_alone(place, more_attacks, done):
    before = record_of(place)
    assert run(place) == ["reference"] * 3 + ["references", "cell"]
    unlearned = {} if place.keep_models else {"unlearn": 1}
    assert done == {"shake": 4} | unlearned, "target, two oracles and the method are attacked"
    after = record_of(place)
    assert after.id == before.id
    assert list(after.shards) == [*before.shards, "shake"]
    assert {stage: after.shards[stage] for stage in before.shards} == before.shards
    assert {s: after.values[s] for s in before.values} == before.values
    assert after.provenance.cost.seconds.keys() == {*before.provenance.cost.seconds, "shake"}
    assert validate(Folder(place.results)) == []
    assert planned(place).jobs == ()


def test_an_attack_that_fails_leaves_the_finished_records(place, more_attacks, monkeypatch):
    """Their cells are tried again, and count as failed until then."""
    before = {path: path.read_bytes() for path in place.results.paths()}

    def broken(*_):
        raise RuntimeError("no attack")

    monkeypatch.setattr(type(more_attacks), "apply", broken)
    plan = planned(place)
    assert execute(plan.jobs[0], place) == "RuntimeError: no attack"
    assert {path: path.read_bytes() for path in place.results.paths()} == before
    assert failures(plan, place.results) == (4, 0)
    assert validate(Folder(place.results)) == []


def test_after_a_kill_between_outputs_and_record_everything_is_measured_again(place, more_attacks):
    """The outputs of the later run are stored beside the record of the earlier one."""
    before = record_of(place)
    path = place.results.path_of(before)
    former = path.read_bytes()
    run(place)
    path.write_bytes(former)
    assert run(place) == ["cell"]
    assert list(record_of(place).shards) == [*before.shards, "shake"]
    assert validate(Folder(place.results)) == []


def test_of_another_model_everything_is_measured_anew(place, more_attacks, done):
    before = record_of(place)
    other = before.provenance.model_copy(update={"weights": "another"})
    samples = place.results.samples_of(before)
    place.results.write(before.model_copy(update={"provenance": other}), samples)
    run(place)
    stages = {"model", *(attack.name for attack in tracks.track_named("tiny").attacks)}
    assert {stage: done[stage] for stage in stages} == dict.fromkeys(stages, 1) | {"shake": 4}
    after = record_of(place)
    assert after.provenance.weights == before.provenance.weights
    assert {stage: after.shards[stage] for stage in before.shards} == before.shards


def test_one_more_oracle_is_all_that_is_measured(place, done, monkeypatch):
    """On a machine that has only the records, no other model is trained for this."""
    before, compared, values_of = record_of(place), [], measure.metric_values

    def counted(frame, oracles, target):
        compared.append(len(oracles))
        return values_of(frame, oracles, target)

    monkeypatch.setattr(measure, "metric_values", counted)
    shutil.rmtree(place.inputs.home)
    assert run(place, oracles=3) == ["base", "model", "reference", "references", "cell"]
    attacks = [attack.name for attack in tracks.track_named("tiny").attacks]
    examined = {stage: times for stage, times in done.items() if sort_of(stage) != POINT}
    assert examined == dict.fromkeys(["model", *attacks], 1)
    after = record_of(place)
    assert after.references.oracles[:2] == before.references.oracles
    assert len(after.references.oracles) == 3
    assert (after.provenance, after.shards) == (before.provenance, before.shards)
    assert after.outputs.sha256 == before.outputs.sha256
    assert compared == [3, 2, 2, 2, 3], "target, oracles with each other, the method"
    assert validate(Folder(place.results)) == []
    assert planned(place, oracles=3).jobs == ()


def test_force_measures_everything(place, done):
    forced = replace(place, force=True)
    plan = Planner(place.inputs, place.results).plan(planned(place).suite, force=True)
    for job in plan.jobs:
        assert execute(job, forced) == "ok"
    assert (done["unlearn"], done["model"]) == (1, 4)


def test_a_cell_that_lacks_a_stage_takes_as_long_as_unlearning_and_that_stage(place, more_attacks):
    *_, job = planned(place).jobs
    assert (job.kind, job.lacking) == ("cell", ("shake",))
    before = record_of(place)

    def estimated(**seconds):
        cost = before.provenance.cost.model_copy(update={"seconds": seconds})
        provenance = before.provenance.model_copy(update={"cost": cost})
        record = before.model_copy(update={"provenance": provenance})
        return Estimates([record]).seconds(job)

    assert estimated(unlearn=5.0, model=100.0, shake=2.0) == 7
    assert estimated(unlearn=5.0, model=100.0) == 105, "nobody knows how long this attack takes"
    again = {"course": 3.0, "requests": 1.0}
    assert estimated(unlearn=5.0, model=100.0, shake=2.0, **again) == 11, "seen on the way again"


def test_a_cell_that_lacks_values_alone_needs_neither_time_nor_memory(place, done):
    """The cell has all its outputs and is only compared with one more oracle."""
    plan = planned(place, oracles=3)
    cell = next(job for job in plan.jobs if job.kind == "cell")
    assert cell.measured
    assert Estimates([]).seconds(cell) == WRITING_SECONDS
    assert not any(job.measured for job in plan.jobs if job.kind != "cell")
    forced = Planner(place.inputs, place.results).plan(plan.suite, force=True)
    assert not forced.jobs[-1].measured
