"""Cells under attacks of every kind: what is stored, what counts, and what the score leaves out."""

import math
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from benchmark.attacks.judgements import CosineSimilarity
from benchmark.core.inputs import Inputs
from benchmark.core.probe_ids import probed
from benchmark.errors import BadInput
from benchmark.evaluation.outputs import examine
from benchmark.metrics.patching import DEPTHS
from benchmark.metrics.stages import POINT, sort_of
from benchmark.models import tracks
from benchmark.pipeline import measure
from benchmark.pipeline.execute import execute
from benchmark.pipeline.planner import Planner
from benchmark.pipeline.run_context import RunContext
from benchmark.pipeline.suite import Suite
from benchmark.records.derived import Derived
from benchmark.records.frames import expected_seeds, heads
from benchmark.records.validation import Folder, validate
from benchmark.reports.attack_report import print_attacks
from benchmark.reports.terminal import print_task
from benchmark.statistics.published import standings_of

ATTACKS = ["quantize_int4_g64", "relearn_disjoint", "relearn_benign", "interpolate", "in_context"]
ATTACKS += ["paraphrase", "sampling", "reverse", "indirect", "summary", "true_false"]
MEASUREMENTS = {"gradient_norm": "mia_gradnorm", "cross_likelihood": "fade"}
if CosineSimilarity(max_new_tokens=1).is_available():
    MEASUREMENTS["cosine_similarity"] = "cosine_similarity"
ATTACKS += [*MEASUREMENTS, "probe", "patching", "soft_prompt"]
PROBES = ATTACKS[5:10]
POINTS = ["relearn_disjoint 005", "relearn_disjoint 010"]
POINTS += ["relearn_benign 005", "relearn_benign 010"]
POINTS += ["interpolate 0.10", "interpolate 0.40", "interpolate 0.70"]
POINTS += ["probe 0.33", "probe 0.67", "probe 1.00", "soft_prompt 025", "soft_prompt 050"]
PATCHED = ["patching unpatched", "patching 0.33", "patching 1.00"]
POINTS += PATCHED
pytestmark = pytest.mark.slow


asked_with = {}  # settings by stage


def noting(predictor, splits, stage, settings):
    asked_with[stage] = settings
    return examine(predictor, splits, stage, settings)


@pytest.fixture(scope="module")
def place(tiny, tmp_path_factory):
    """A run of one method under attacks of every kind."""
    folder = tmp_path_factory.mktemp("attacked")
    context = RunContext(Inputs(folder / "home"), folder / "out")
    with pytest.MonkeyPatch.context() as patch:
        declared = replace(tiny, attacks=tracks.track_named("tiny-dev").attacks)
        patch.setattr(tracks, "_tracks", lambda: {"tiny": declared})
        patch.setattr(measure, "examine", noting)
        suite = Suite(
            name="attacked",
            description="one cell",
            tracks=["tiny"],
            tasks=["frequency/low"],
            methods=["grad_diff"],
            oracles=2,
            attacks=ATTACKS[::-1],
        )
        plan = Planner(context.inputs, context.results).plan(suite)
        for job in plan.jobs:
            assert execute(job, context) == "ok", job.label
    return context


@pytest.fixture(scope="module")
def record(place):
    return next(r for r in place.results.read_all() if r.method.name == "grad_diff")


def test_points_belong_to_their_attack_and_records_are_valid(place, record):
    assert list(record.shards) == ["model", *ATTACKS], "in the track's order"
    stages = {sample.stage for sample in place.results.samples_of(record)}
    assert sorted(stage for stage in stages if sort_of(stage) == POINT) == sorted(POINTS)
    assert validate(Folder(place.results)) == []


def test_utility_is_kept_after_an_attack_that_keeps_it(record):
    assert record.values["interpolate"].keys() == {"forget", "retain"}
    assert record.values["interpolate 0.10"].keys() == {"forget", "retain"}
    assert record.values["relearn_disjoint 005"].keys() == {"forget", "retain"}
    assert record.values["in_context"].keys() == {"forget"}
    for attack in ("interpolate", "quantize_int4_g64", "relearn_disjoint"):
        assert set(record.values[attack]["retain"].n) >= {24}


def test_half_way_to_the_target_more_is_known_than_at_a_tenth(place, record):
    """At a share of 1 the model would be the target itself."""
    target = next(r for r in place.results.read_all() if r.method.name == "target")

    def logprobs(record, stage):
        samples = place.results.samples_of(record)
        asked = [s for s in samples if (s.stage, s.split) == (stage, "forget")]
        return np.array([logprobs.sum() for s in asked for logprobs in s.paraphrase_logprobs])

    known = logprobs(target, "model")
    stages = ("model", "interpolate 0.10", "interpolate 0.40", "interpolate 0.70")
    distances = [np.abs(logprobs(record, stage) - known).mean() for stage in stages]
    assert distances == sorted(distances, reverse=True)


def test_every_attack_counts_and_no_point_does(place, tmp_path):
    records = list(heads(place.results))
    derived = Derived.below(tmp_path)
    table = standings_of(place.results, records, expected_seeds(records), derived).table
    robust = table[table["axis"] == "robustness"]["metric"]
    fed = {metric.partition(".")[0] for metric in robust if "." in metric}
    assert fed <= set(ATTACKS)
    prefixes = {metric.partition(".")[0] for metric in table["metric"]}
    assert {*ATTACKS, *POINTS[:2]} <= prefixes, "they are reported beside the score"


def test_attacks_that_ask_have_questions_and_settings_of_their_own(place, record):
    by_stage = {}
    for sample in place.results.samples_of(record):
        if sample.split == "forget":
            by_stage.setdefault(sample.stage, []).append(sample)
    people = {sample.entity for sample in by_stage["model"]}
    known = {sample.example for sample in by_stage["model"]}
    assert {probed(s.example) for stage in PROBES for s in by_stage[stage]} == known
    assert len(by_stage["paraphrase"]) == 2 * len(known)
    assert {len(s.sampled) for s in by_stage["sampling"]} == {16}
    assert {len(s.sampled) for stage in ("model", "summary") for s in by_stage[stage]} == {0}
    assert {s.prompt for s in by_stage["reverse"]}.isdisjoint(s.prompt for s in by_stage["model"])
    assert len({s.prompt for s in by_stage["summary"]}) == len(people)
    room = {stage: asked_with[stage].max_new_tokens for stage in ("model", "indirect", "summary")}
    assert room == {"model": 10, "indirect": 10, "summary": 64}
    assert "leak_at_16" in record.values["sampling"]["forget"].values
    assert "leak_at_16" not in record.values["summary"]["forget"].values
    assert len(by_stage["true_false"]) == 2 * len(known)
    assert "true_false" in record.values["true_false"]["forget"].values
    assert "true_false" not in record.values["in_context"]["forget"].values


def test_measurements_have_the_metric_of_their_own_and_no_other(place, record):
    for stage, metric in MEASUREMENTS.items():
        (table,) = record.values[stage].values()
        assert table.values.keys() == {metric}
        assert not table.failed
    norms = [s for s in place.results.samples_of(record) if s.stage == "gradient_norm"]
    assert {s.split for s in norms} == {"forget", "holdout"}
    patched = record.values["patching"]["forget"].values.keys()
    assert patched - DEPTHS.keys() == {"patched_logprob"}


def test_every_model_is_compared_with_an_oracle_that_it_is_not(place):
    found = {}
    for other in place.results.read_all():
        rows = {v.metric: v.value for v in other.value_rows() if v.stage == "cross_likelihood"}
        found[other.method.name, other.seed] = rows["fade"]
    assert len(found) == 4
    assert all(math.isfinite(value) and value != 0 for value in found.values())


def test_reports_say_what_any_probe_tells(place, tmp_path):
    """The report on attacks is refused: after none of them do target and oracles differ enough."""
    console, derived = Console(width=300, record=True), Derived.below(tmp_path)
    print_task("frequency", place.results.root, console, derived)
    text = console.export_text()
    table = text.partition("Known by any probe")[2]
    assert all(probe in table for probe in ("direct", "in_context", *PROBES))
    curve = text.partition("Knowledge along the attack relearn_disjoint")[2]
    assert all(point in curve for point in ("5 steps", "10 steps", "end", "grad_diff", "oracle"))
    with pytest.raises(BadInput, match="do not differ enough"):
        print_attacks(place.results.root, console, derived)


def test_patching_starts_from_the_target_whatever_is_patched_in(place, record):
    """Patching in the target's own states changes nothing, and the target is the same for all
    models.
    """
    records = list(place.results.read_all())
    target = next(r for r in records if r.method.name == "target")

    def logprobs(record):
        stages = ["patching", *PATCHED]
        return [record.values[s]["forget"].values["patched_logprob"][0] for s in stages]

    assert logprobs(target) == pytest.approx([logprobs(target)[1]] * 4, abs=1e-5)
    assert {logprobs(other)[1] for other in records} == {logprobs(target)[1]}
    moved = [abs(one - other) for one, other in zip(*map(logprobs, (record, target)), strict=True)]
    assert moved[1] == 0
    assert min(moved[0], moved[2], moved[3]) > 1e-5
