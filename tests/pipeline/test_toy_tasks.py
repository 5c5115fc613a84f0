"""A task of each kind in under thirty lines, run through the whole engine: a new task only adds
files to `tasks/`.
"""

import inspect
import json
import random
import shutil
from collections import Counter

import pytest
import torch
from rich.console import Console

from benchmark.api import (
    Document,
    Example,
    Task,
    TaskData,
    documents_about,
    examples_about,
    first_prompts,
    passages,
)
from benchmark.core import registry
from benchmark.core.examples import to_examples
from benchmark.core.inputs import Inputs
from benchmark.data.world.examples import retain_splits
from benchmark.errors import BadInput
from benchmark.metrics.stages import ATTACK, sort_of
from benchmark.models.controlled import ControlledModels
from benchmark.models.tracks import track_named
from benchmark.pipeline.checkpoints import Checkpoints
from benchmark.pipeline.execute import execute
from benchmark.pipeline.planner import Planner
from benchmark.pipeline.run_context import RunContext
from benchmark.pipeline.suite import MethodEntry, Suite
from benchmark.pipeline.unlearn import CellRun, unlearn
from benchmark.pipeline.variant import Variant
from benchmark.records.derived import Derived
from benchmark.records.outputs import Inputs as Asked
from benchmark.records.outputs import outputs_to_bytes
from benchmark.records.store import ResultStore, read_record
from benchmark.records.validation import Folder, validate
from benchmark.reports.terminal import print_task, published_standings
from benchmark.runtime.stopwatch import Stopwatch
from benchmark.statistics import findings, scores
from benchmark.statistics.axes import TIE

pytestmark = pytest.mark.slow


class Plain(Task):
    """Three people are forgotten."""

    answers = "name"

    def data(self, variant, world):
        rng, people = random.Random(world.seed), world.newcomers[:3]
        facts = [fact for person in people for fact in person.facts]
        documents = [text for fact in facts for text in documents_about(fact, 2, rng)]
        splits, pool = retain_splits(world, people)
        splits["forget"] = examples_about(facts, first_prompts(documents), world)
        return TaskData.of(splits, documents, pool, answers=self.answers)


class Bare(Plain):
    """The same task with only the two required splits."""

    def data(self, variant, world):
        made = super().data(variant, world)
        splits = {role: made.examples(role) for role in ("forget", "retain")}
        pool = to_examples(made.retain_pool)
        return TaskData.of(splits, made.documents, pool, answers=self.answers)


class WithTrajectory(Plain):
    """The same task with a trajectory, and with memorisation and difficulty split into thirds."""

    trajectory = True
    difficulty = True


class InRequests(Task):
    """Three people are forgotten one after the other."""

    answers = "name"

    def data(self, variant, world):
        rng, people = random.Random(world.seed), world.newcomers[:3]
        facts = [fact for person in people for fact in person.facts]
        documents = [text for fact in facts for text in documents_about(fact, 2, rng)]
        strata = {
            fact.id: {"step": str(i)} for i, person in enumerate(people, 1) for fact in person.facts
        }
        splits, pool = retain_splits(world, people)
        splits["forget"] = examples_about(facts, first_prompts(documents), world, strata)
        asked = [frozenset(f.id for f in person.facts) for person in people]
        return TaskData.of(splits, documents, pool, asked, answers=self.answers)


class Texts(Task):
    """Six of twelve passages are forgotten."""

    answers = dict.fromkeys(("forget", "retain", "holdout"), "text") | {
        "neighbors": "name",
        "general": "name",
    }
    trajectory = True

    def data(self, variant, world):
        texts = [
            Example(f"t{i}", f"t{i}", "", text)
            for i, text in enumerate(passages(world, 24, random.Random(0)))
        ]
        splits, pool = retain_splits(world, world.newcomers[:3])
        splits |= {"forget": texts[:6], "retain": texts[6:12], "holdout": texts[12:]}
        return TaskData.of(
            splits,
            [Document(t.id, "", t.answer, reads=3) for t in texts[:12]],
            [*texts[6:12], *pool],
            answers=self.answers,
        )


KINDS = {
    "toy_plain": Plain,
    "toy_bare": Bare,
    "toy_trajectory": WithTrajectory,
    "toy_requests": InRequests,
    "toy_texts": Texts,
}
METHODS = ("none", "grad_diff", "npo", "idk", "me_gd", "task_arithmetic")


@pytest.fixture(scope="module")
def registered():
    """Registers the toy tasks while the tests run."""
    registry.tasks()
    for name, cls in KINDS.items():
        registry.register_task(name, version=1)(cls)
    yield
    for name in KINDS:
        registry._TASKS.pop(name)


@pytest.fixture(scope="module")
def place(registered, tiny, tmp_path_factory):
    """A full run on all toy tasks."""
    folder = tmp_path_factory.mktemp("toys")
    place = RunContext(Inputs(folder / "home"), folder / "out")
    for job in plan(place).jobs:
        assert execute(job, place) == "ok", job.label
    return place


def plan(place):
    methods = [MethodEntry(name=name) for name in METHODS]
    suite = Suite(
        name="toys",
        description="",
        tracks=["tiny"],
        tasks=list(KINDS),
        methods=methods,
        oracles=2,
    )
    return Planner(place.inputs, place.results).plan(suite)


def records_of(place, task):
    return {
        r.method.name: r
        for r in place.results.read_all()
        if r.task.name == task and r.seed in (0, 1)
    }


def stages(place, record):
    """Number of stages of each sort among the record's samples."""
    return Counter(map(sort_of, {s.stage for s in place.results.samples_of(record)}))


@pytest.mark.parametrize("cls", KINDS.values())
def test_a_toy_task_is_short(cls):
    assert len(inspect.getsource(cls).splitlines()) < 30


def test_everything_is_measured_validates_and_stands_in_a_table(place):
    assert validate(Folder(place.results)) == []
    board = published_standings(place.results.root, Derived())
    assert set(board.variants["task"]) == set(KINDS)
    for task in KINDS:
        assert set(board.variants.loc[board.variants["task"] == task, "method"]) == set(METHODS)
        assert findings(board, task)


def test_a_second_plan_finds_everything(place):
    assert plan(place).jobs == ()


def test_the_site_has_a_page_for_every_task(place, tmp_path):
    from leaderboard.build import build_site

    build_site(place.results.root, tmp_path / "site")
    pages = {path.name for path in (tmp_path / "site").rglob("*.html")}
    assert {f"{task}.html" for task in KINDS} <= pages


def test_a_plain_task_has_samples_of_the_end_alone(place):
    for record in records_of(place, "toy_plain").values():
        assert stages(place, record) == {"model": 1, "attack": 2, "point": 2}


def test_forget_and_retain_are_enough_and_leave_the_privacy_axis_out(place, monkeypatch):
    monkeypatch.setattr(scores, "LEAST_KEPT", 2 * TIE)  # toy models keep little
    (line,) = [line for line in plan(place).sizes if "toy_bare" in line]
    assert line.endswith("; without a holdout, privacy is not scored")
    values = list(records_of(place, "toy_bare")["grad_diff"].value_rows())
    assert {v.split for v in values} == {"forget", "retain"}
    assert not {v.metric for v in values} & {"mia_loss", "mia_min_k", "exposure", "model_utility"}
    assert ("forget", "exact_answer") in {(v.split, v.metric) for v in values}
    rows = published_standings(place.results.root, Derived()).variants
    assert rows.loc[rows["task"] == "toy_bare", "privacy"].isna().all()
    assert rows.loc[rows["task"] == "toy_bare", "utility"].notna().all()


def test_a_course_is_looked_at_on_the_way_of_methods_that_take_steps(place):
    records = records_of(place, "toy_trajectory")
    # The tiny track takes four steps; the model after the last one is the final model.
    assert stages(place, records["grad_diff"])["budget"] == 3
    assert "budget" not in stages(place, records["none"])
    assert "budget" not in stages(place, records["oracle"])


def test_degrees_are_thirds_of_the_forget_set_the_same_for_all(place):
    found = {}
    for name, record in records_of(place, "toy_trajectory").items():
        strata = {
            s.example: s.strata for s in place.results.samples_of(record) if s.split == "forget"
        }
        assert Counter(tags["memorization"] for tags in strata.values()) == {
            "low": 6,
            "mid": 6,
            "high": 6,
        }
        found[name] = strata
    assert len({json.dumps(strata, sort_keys=True) for strata in found.values()}) == 1


def test_requests_are_looked_at_after_each_and_oracles_never_saw_them(place):
    records = records_of(place, "toy_requests")
    all_stages = {"request": 2, "model": 1, "attack": 2, "point": 2}
    assert stages(place, records["grad_diff"]) == all_stages
    assert stages(place, records["oracle"]) == all_stages
    assert stages(place, records["target"])["request"] == 0
    assert records["grad_diff"].provenance.cost.steps == 3 * records["grad_diff"].budget.steps
    seen = [s for s in place.results.samples_of(records["npo"]) if s.stage == "request 01"]
    assert {s.strata["step"] for s in seen if s.split == "forget"} == {"1", "2", "3"}


def test_texts_have_values_of_texts_and_of_questions_where_they_belong(place):
    values = {
        (v.split, v.metric): v
        for v in records_of(place, "toy_texts")["grad_diff"].value_rows()
        if v.stage == "model"
    }
    assert ("forget", "memorization_accuracy") in values
    assert ("forget", "extraction_likelihood_3") in values
    assert ("forget", "paraphrased_probability") not in values
    assert ("general", "exact_answer") in values
    assert all(v.n_failed == 0 for v in values.values())


def test_after_attacks_forgotten_texts_are_compared_with_never_seen_ones(place):
    """There is no such comparison for questions, so the holdout is not asked after attacks."""
    for kind, compared in (("toy_texts", True), ("toy_plain", False)):
        record = records_of(place, kind)["grad_diff"]
        attacked = {s for s in record.values if sort_of(s) == ATTACK}
        assert len(attacked) == 2
        for stage in attacked:
            assert ("memorization_gap" in record.values[stage]["forget"].values) == compared
            assert ("compared_with" in record.shards[stage].recipe) == compared
            samples = place.results.samples_of(record)
            assert any(s.stage == stage and s.split == "holdout" for s in samples) == compared


class Interrupted(Exception):
    """Simulates a kill."""


class KilledAfterOne(Checkpoints):
    def save(self, progress):
        super().save(progress)
        raise Interrupted


def test_a_killed_sequence_goes_on_after_its_last_request(place):
    """The resulting model, outputs and cost equal those of a run that was not killed."""
    cell = next(
        c for c in plan(place).cells if (c.identity.task.name, c.method) == ("toy_requests", "npo")
    )
    task = cell.identity.task
    variant = Variant(track_named("tiny"), task.name, task.variant, 2, place.inputs)
    models = ControlledModels(variant.track, place.store)
    folder = models.trained(variant.documents(0), 0)

    def run(checkpoints):
        target, tokenizer = models.load(folder)
        unlearn(CellRun(cell, variant, models, tokenizer, Stopwatch()), target, checkpoints)
        return checkpoints.load()

    with pytest.raises(Interrupted):
        run(KilledAfterOne(place.store, "killed"))
    assert Checkpoints(place.store, "killed").load().done == 1
    resumed, whole = run(Checkpoints(place.store, "killed")), run(Checkpoints(place.store, "whole"))
    one, other = (outputs_to_bytes(p.samples, Asked.of(p.samples)) for p in (resumed, whole))
    assert one == other
    assert (resumed.steps, resumed.tokens) == (whole.steps, whole.tokens)
    own, others = (p.result.weights.parameters() for p in (resumed, whole))
    assert all(torch.equal(one, other) for one, other in zip(own, others, strict=True))


def test_a_sequence_that_was_not_looked_at_after_each_request_is_no_result(place, tmp_path):
    shutil.copytree(place.results.root, tmp_path / "out")
    store = ResultStore(tmp_path / "out")
    record = next(
        r for r in store.read_all() if (r.task.name, r.method.name) == ("toy_requests", "npo")
    )
    kept = [s for s in store.samples_of(record) if s.stage != "request 02"]
    shards = {stage: own for stage, own in record.shards.items() if stage != "request 02"}
    values = {stage: own for stage, own in record.values.items() if stage != "request 02"}
    store.write(record.model_copy(update={"shards": shards, "values": values}), kept)
    (finding,) = validate(Folder(store))
    assert (finding.check, "after 1 intermediate requests" in finding.message) == ("requests", True)


def test_tasks_of_development_tracks_are_not_reported(place, tmp_path):
    root = tmp_path / "out"
    shutil.copytree(place.results.root / "tiny", root / "tiny-dev")
    for path in root.rglob("*.json"):
        record = read_record(path)
        identity = record.identity.model_copy(update={"track": "tiny-dev"})
        path.write_bytes(record.model_copy(update={"identity": identity}).to_json())
    with pytest.raises(BadInput, match="toy_plain"):
        print_task("toy_plain", root, Console(), Derived())


def test_nothing_is_left_of_finished_checkpoints(place):
    cells = {cell.id for cell in plan(place).cells}
    assert not [
        path for path in (place.inputs.home / "partial").glob("*") if path.name[:16] in cells
    ]
