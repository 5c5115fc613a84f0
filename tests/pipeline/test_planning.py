"""Plans: which of a suite's entries run where, on which models, and in which order."""

import json
from pathlib import Path

import pytest
from toy_models import plain_tokenizer, tiny_model

from benchmark.attacks.judgements import CosineSimilarity
from benchmark.core.inputs import Inputs
from benchmark.data.world import Wording, probes
from benchmark.errors import BadInput
from benchmark.inference.vllm_engine import usual_backend
from benchmark.models.tracks import track_named
from benchmark.pipeline.execute import execute
from benchmark.pipeline.plan import failures
from benchmark.pipeline.planner import Planner
from benchmark.pipeline.run_context import RunContext
from benchmark.pipeline.selection import restrict
from benchmark.pipeline.suite import Suite
from benchmark.pipeline.variant import Variant, _data_of
from benchmark.pipeline.write_record import write_failure
from benchmark.records.schema import Failure
from benchmark.records.store import ResultStore

RATES = {"controlled-1m": 1e-4, "tiny-dev": 1e-3}
METHODS = [
    "none",
    *(
        {"name": "grad_diff", "tracks": [track], "parameters": {"learning_rate": r}}
        for track, r in RATES.items()
    ),
    {"name": "npo", "tasks": ["memorized"], "parameters": {"learning_rate": 1e-5}},
    {"name": "npo", "tasks": ["frequency"], "parameters": {"learning_rate": 2e-5}},
]
CONTROLLED, SMOLLM2 = track_named("controlled-1m"), track_named("smollm2-135m")
HERE = Inputs(Path("home"))


def suite_of(**changes):
    fields = {
        "tracks": list(RATES),
        "tasks": ["frequency/low", "memorized"],
        "methods": METHODS,
        "oracles": 2,
    }
    return Suite(name="s", description="", **fields | changes)


def test_a_grid_is_a_row_for_each_combination():
    grid = {"telling": ["facts", "nothing"], "epochs": [5, 10]}
    entry = {"name": "pool", "parameters": {"learning_rate": 1e-3}, "grid": grid, "seeds": 2}
    rows = suite_of(methods=["none", entry]).methods
    assert [row.parameters for row in rows] == [
        {},
        *(
            {"learning_rate": 1e-3, "telling": telling, "epochs": epochs}
            for telling in ("facts", "nothing")
            for epochs in (5, 10)
        ),
    ]
    assert {row.seeds for row in rows[1:]} == {2}
    assert suite_of(methods=[row.model_dump() for row in rows]).methods == rows
    with pytest.raises(ValueError, match="at least 1 item"):
        suite_of(methods=[{"name": "npo", "grid": {"learning_rate": []}}])


def planned(suite, tmp_path):
    inputs = Inputs(tmp_path / "home", forget=tmp_path / "forget", retain=tmp_path / "retain")
    return Planner(inputs, ResultStore(tmp_path / "out")).plan(suite)


def placed(plan, method):
    return {
        (c.identity.track, c.identity.task.name, c.parameters["learning_rate"])
        for c in plan.cells
        if c.method_name == method
    }


def test_an_entry_runs_on_its_own_tracks_and_tasks(tmp_path):
    plan = planned(suite_of(), tmp_path)
    assert placed(plan, "grad_diff") == {
        (t, task, r) for t, r in RATES.items() for task in ("frequency", "memorized")
    }
    assert placed(plan, "npo") == {
        (track, task, rate)
        for track in RATES
        for task, rate in (("memorized", 1e-5), ("frequency", 2e-5))
    }


def test_a_track_can_be_kept_to_some_tasks(tmp_path):
    plan = planned(suite_of(only={"tiny-dev": ["frequency/low"]}), tmp_path)
    assert {(c.identity.track, c.identity.task.name) for c in plan.references} == {
        ("controlled-1m", "frequency"),
        ("controlled-1m", "memorized"),
        ("tiny-dev", "frequency"),
    }


@pytest.mark.parametrize(
    "changes",
    [{"only": {"tiny": ["memorized"]}}, {"methods": [{"name": "none", "tracks": ["tiny"]}]}],
)
def test_a_track_that_is_mistyped_is_bad_input(tmp_path, changes):
    with pytest.raises(BadInput, match="tiny-dev"):
        planned(suite_of(**changes), tmp_path)


@pytest.mark.parametrize(("task", "rate"), [("memorized", 1e-5), ("frequency/low", 2e-5)])
def test_of_a_methods_entries_those_for_the_named_task_are_taken(tmp_path, task, rate):
    suite, _ = restrict(suite_of(), ["tiny-dev"], [task], ["npo"], [])
    assert placed(planned(suite, tmp_path), "npo") == {("tiny-dev", task.partition("/")[0], rate)}


def test_a_task_that_the_suite_lacks_takes_the_methods_entries_for_others(tmp_path):
    suite, _ = restrict(suite_of(), ["tiny-dev"], ["fictitious"], ["npo"], [])
    assert {rate for _, _, rate in placed(planned(suite, tmp_path), "npo")} == {1e-5, 2e-5}


def test_attacks_by_track_are_every_tracks_and_a_new_track_has_them_all():
    by_track = {"controlled-1m": ["prefix", "relearn_disjoint"], "tiny-dev": ["prefix", "reverse"]}
    suite = suite_of(attacks=by_track)
    assert suite.attacks_on("tiny-dev") == ["prefix", "reverse"]
    assert suite.attacks_on("my-model") == ["prefix", "relearn_disjoint", "reverse"]
    with pytest.raises(ValueError, match="name each of"):
        suite_of(attacks={"tiny-dev": ["prefix"]})


def test_a_pretrained_target_that_is_the_base_itself_waits_for_nothing_but_it(tmp_path):
    """If the store is empty, the job that fetches the base must not depend on itself."""
    plan = planned(
        suite_of(tracks=["smollm2-135m"], tasks=["real_entities_small"], methods=["none"]), tmp_path
    )
    if plan.missing:
        pytest.skip(plan.missing[0])
    measured = ["reference"] * len(plan.references)
    assert [job.kind for job in plan.jobs] == ["base", *measured, "references", "cell"]
    done = set()
    for job in plan.jobs:
        assert job.needs <= done
        done.add(job.id)


def test_each_seed_of_a_method_starts_from_a_target_of_its_own(tmp_path):
    """The target is trained with the method's seed: otherwise results of the same method on a
    differently trained target would lie outside the intervals.
    """
    methods = [{"name": "npo", "seeds": 3}, "none"]
    wanted = {"tracks": ["controlled-1m"], "tasks": ["memorized"], "methods": methods}
    plan = planned(suite_of(**wanted), tmp_path)
    targets = {c.seed: c for c in plan.references if c.method_name == "target"}
    assert list(targets) == [0, 1, 2]
    assert len({tuple(target.identity.models) for target in targets.values()}) == 3
    for cell in plan.cells:
        assert cell.target_id == targets[cell.seed].id
        assert cell.identity.models == targets[cell.seed].identity.models
    oracles = [c for c in plan.references if c.method_name == "oracle"]
    assert {oracle.target_id for oracle in oracles} == {targets[0].id}
    trained = [job.label for job in plan.jobs if job.kind == "model"]
    assert trained[:3] == [f"{name} · memorized" for name in ("target", "target 1", "target 2")]
    assert len(trained) == 3 + 2
    once = planned(suite_of(**wanted | {"methods": [{"name": "npo"}, "none"]}), tmp_path)
    assert {cell.id for cell in once.references} < {cell.id for cell in plan.references}


@pytest.mark.parametrize(
    ("track", "task"),
    [
        ("tiny-dev", "memorized"),  # trials are compared with each other
        ("smollm2-135m", "real_entities_small"),  # the target is the pretrained model itself
    ],
)
def test_seeds_share_the_target_where_none_is_trained_for_them(tmp_path, track, task):
    methods = [{"name": "npo", "seeds": 3}]
    plan = planned(suite_of(tracks=[track], tasks=[task], methods=methods), tmp_path)
    if plan.missing:
        pytest.skip(plan.missing[0])
    (target,) = (c for c in plan.references if c.method_name == "target")
    assert {cell.target_id for cell in plan.cells} == {target.id}
    assert {cell.seed for cell in plan.cells} == {0, 1, 2}


def test_targets_that_are_not_needed_any_more_are_not_trained(tmp_path):
    """A method that another entry restricts to other tasks requires no targets here."""
    methods = [{"name": "npo", "seeds": 3, "tasks": ["frequency"]}, "none"]
    tasks = {"tracks": ["controlled-1m"], "tasks": ["frequency/low", "memorized"]}
    plan = planned(suite_of(methods=methods, **tasks), tmp_path)
    seeds = [
        (cell.identity.task.name, cell.seed)
        for cell in plan.references
        if cell.method_name == "target"
    ]
    assert seeds == [("frequency", 0), ("frequency", 1), ("frequency", 2), ("memorized", 0)]


def test_a_method_that_the_suite_has_for_another_track_runs_on_the_named_one(tmp_path):
    suite, _ = restrict(suite_of(methods=[METHODS[1]]), ["tiny-dev"], [], ["grad_diff"], [])
    plan = planned(suite, tmp_path)
    assert {(cell.identity.track, cell.seed) for cell in plan.cells} == {
        ("tiny-dev", seed) for seed in range(3)
    }
    assert {tuple(cell.parameters) for cell in plan.cells} == {()}, (
        "the other track's rate is not this one's"
    )


def test_of_two_named_tracks_each_keeps_its_own_entries(tmp_path):
    suite, _ = restrict(suite_of(), list(RATES), [], ["grad_diff"], [])
    assert {
        (track, rate) for track, _, rate in placed(planned(suite, tmp_path), "grad_diff")
    } == set(RATES.items())


def test_two_models_of_one_name_are_bad_input(tmp_path):
    folders = [tmp_path / run / "checkpoints/final" for run in "ab"]
    for folder in folders:
        folder.mkdir(parents=True)
    with pytest.raises(BadInput, match="two of its models have the name checkpoints--final"):
        planned(suite_of(tracks=[str(folder) for folder in folders], tasks=["custom"]), tmp_path)


def test_what_failed_is_measured_again(tmp_path):
    few = {"tracks": ["tiny-dev"], "methods": ["none"], "attacks": ["quantize_int4_g64"]}
    suite, results = suite_of(tasks=["frequency/low"], **few), tmp_path / "out"
    plan = planned(suite, tmp_path)
    failure = Failure(type="EngineDied", message="it died", traceback="")
    place = RunContext(Inputs(tmp_path / "home"), results)
    write_failure([*plan.references, *plan.cells], failure, place, proxy=False)
    again = planned(suite, tmp_path)
    kinds = {"base", "model", "reference", "references", "cell"}
    assert {job.kind for job in again.jobs} == kinds
    assert again.cached == set()
    assert [execute(job, place) for job in again.jobs] == ["ok"] * len(again.jobs)
    assert planned(suite, tmp_path).jobs == ()


def test_failures_are_counted_apart_from_what_never_started(tmp_path):
    plan = planned(suite_of(tracks=["tiny-dev"]), tmp_path)
    place = RunContext(Inputs(tmp_path / "home"), tmp_path / "out")
    assert failures(plan, place.results) == (0, len(plan.ids))
    job = next(job for job in plan.jobs if job.kind == "references")
    failure = Failure(type="E", message="m", traceback="")
    write_failure(job.cells, failure, place, proxy=False)
    assert failures(plan, place.results) == (3, len(plan.ids) - 3)  # the target and two oracles


def test_plans_say_what_each_variant_asks_for(tmp_path):
    plan = planned(
        suite_of(tasks=["frequency/low"], tracks=["tiny-dev"], methods=["none"]), tmp_path
    )
    (line,) = plan.sizes
    assert line.startswith("tiny-dev · frequency/low: ")
    assert "4 steps of 8" in line


def test_a_plan_says_which_judge_is_not_at_hand_and_leaves_its_stage_out(tmp_path, monkeypatch):
    for at_hand in (True, False):
        monkeypatch.setattr(CosineSimilarity, "is_available", lambda self, is_so=at_hand: is_so)
        suite = suite_of(
            tasks=["frequency/low"], tracks=["tiny-dev"], attacks=["cosine_similarity"]
        )
        plan = planned(suite, tmp_path)
        assert ("unavailable: cosine_similarity" in plan.sizes[0]) is not at_hand
        assert all(("cosine_similarity" in cell.recipes) is at_hand for cell in plan.cells)


@pytest.fixture
def own_model(tmp_path):
    """The path by which a suite names a user's model; question files are in the same folder."""
    (tmp_path / "Tiny").mkdir()
    (tmp_path / "Tiny/config.json").write_text("{}")
    (tmp_path / "Tiny/model.safetensors").write_bytes(b"")
    for side in ("forget", "retain"):
        rows = [
            {"question": f"What is {side} {i}?", "answer": str(i), "subject": f"{side} {i}"}
            for i in range(9)
        ]
        (tmp_path / side).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(tmp_path / "Tiny")


def test_a_suite_names_a_users_model_wherever_it_names_tracks(tmp_path, own_model):
    """The name of its track differs from that of the folder."""
    methods = ["none", {"name": "npo", "tracks": [own_model]}]
    named = {"tracks": [own_model], "attacks": {own_model: ["quantize_int8"]}}
    plan = planned(suite_of(**named, tasks=["custom"], methods=methods), tmp_path)
    assert [cell.method_name for cell in plan.cells] == ["none", "npo"]
    assert {a.name for job in plan.jobs for a in job.variant.attacks} == {"quantize_int8"}


def test_a_suite_may_set_precision_and_harness_of_pretrained_tracks(tmp_path, own_model):
    suite = suite_of(tracks=[own_model], tasks=["custom"], methods=["none"])
    changes = {"precision": "float32", "harness": "yuan"}
    plain, changed = (planned(s, tmp_path) for s in (suite, suite.model_copy(update=changes)))
    found = changed.jobs[-1].variant
    assert (found.track.precision, found.harness) == ("float32", "yuan")
    assert found.recipes["harness"]["group"] == "yuan"
    assert not plain.ids & changed.ids
    with pytest.raises(BadInput, match="did you mean yuan"):
        planned(suite.model_copy(update={"harness": "yuna"}), tmp_path)


def test_each_reference_waits_for_its_own_models_and_their_records_for_all_of_them(tmp_path):
    plan = planned(suite_of(tasks=["continual/2"], tracks=["tiny-dev"], methods=["none"]), tmp_path)
    models = {job.id: job for job in plan.jobs if job.kind == "model"}
    measured = [job for job in plan.jobs if job.kind == "reference"]
    (written,) = (job for job in plan.jobs if job.kind == "references")
    assert [job.cells for job in measured] == [(cell,) for cell in plan.references]
    for job in measured:
        seeds = {models[i].seed for i in job.needs if i in models}
        assert seeds == {job.cells[0].seed}
    assert written.needs == {job.id for job in measured}
    assert all(job.needs == {written.id} for job in plan.jobs if job.kind == "cell")


def test_texts_are_attacked_only_by_what_needs_no_question(tmp_path):
    def attacks(task, variant):
        track = track_named("controlled-1m-dev")
        return set(Variant(track, task, variant, 2, Inputs(tmp_path)).recipes) - {"model"}

    asking = {"prefix", "in_context", "jailbreak", "insist", "paraphrase", "sampling"}
    asking |= {"reverse", "indirect", "summary", "true_false", "cross_likelihood"}
    judging = {"cosine_similarity", "entailment"}  # if their models are available
    assert attacks("fictitious", "") - attacks("memorized", "") - judging == asking


def test_outputs_of_an_attack_with_questions_of_the_task_depend_on_them(tmp_path, monkeypatch):
    def recipes():
        track = track_named("controlled-1m-dev")
        _data_of.cache_clear()
        return Variant(track, "fictitious", "", 2, Inputs(tmp_path)).recipes

    before = recipes()
    assert [name for name, recipe in before.items() if "questions" in recipe] == [
        "reverse",
        "indirect",
        "summary",
    ]
    monkeypatch.setitem(probes.REVERSED, "birthday", Wording("Whose birthday is {name}?", True))
    after = recipes()
    _data_of.cache_clear()
    assert [name for name in before if before[name] != after[name]] == ["reverse"]


@pytest.mark.parametrize("installed", [True, False])
def test_vllm_generates_for_pretrained_models_where_it_is_installed(
    tmp_path, monkeypatch, installed
):
    """Restores the module's `usual_backend`, which the shared test setup replaces."""
    monkeypatch.setattr("benchmark.inference.vllm_engine.vllm_installed", lambda: installed)
    monkeypatch.setattr("benchmark.pipeline.planner.usual_backend", usual_backend)
    tiny_model().save_pretrained(tmp_path / "Tiny")
    plain_tokenizer().save_pretrained(tmp_path / "Tiny")
    settings = {"name": "s", "description": "", "methods": ["none"], "oracles": 2, "attacks": []}
    planner = Planner(Inputs(tmp_path / "home"), ResultStore(tmp_path / "out"))

    def backend(track, **more):
        suite = Suite(tracks=[track], tasks=["memorized"], **settings, **more)
        (found,) = {c.evaluation.generation["backend"] for c in planner.plan(suite).references}
        return found

    assert backend(str(tmp_path / "Tiny")) == ("vllm" if installed else "hf")
    assert backend(str(tmp_path / "Tiny"), backend="hf") == "hf"
    assert backend("tiny-dev") == "hf"
