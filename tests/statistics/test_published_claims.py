"""Requirements on the published standings: anchors stand where they must, and what the documents
claim holds beyond the intervals.
"""

import io
from collections import Counter
from pathlib import Path
from statistics import fmean

import pytest
from rich.console import Console

from benchmark.core.registry import methods
from benchmark.metrics.frames import ALL
from benchmark.models.track_files import chosen
from benchmark.pipeline.selection import expand_tasks
from benchmark.pipeline.suite import load_suite
from benchmark.records.derived import Derived
from benchmark.records.identity import variant_name
from benchmark.records.store import ResultStore, read_record
from benchmark.reports.terminal import HELD_OUT_BAR, TRAINED_BAR, print_task

RESULTS = Path(__file__).resolve().parents[2] / "results"
TRACK, PRETRAINED = "controlled-1m", "smollm2-135m"
TEXTS = ("memorized", "memorized_distinct")
BARS = {"exact_answer_trained": TRAINED_BAR, "exact_answer": HELD_OUT_BAR}
OFTEN = ("fictitious", "frequency/high", "frequency/mid")  # their forget sets were read often
BUCKETS = ("low", "mid", "high")  # of `real_entities`
SUITE = {entry.name: entry.seeds for entry in load_suite("cpu").methods}
NULLS = ("none", "refuse_all", "constant_text", "random_weights")

pytestmark = pytest.mark.audit  # computing the standings takes minutes


@pytest.fixture(scope="module")
def track(published):
    return next(own for own in published.tracks if own.name == TRACK)


@pytest.fixture(scope="module")
def records(track):
    return track.records


@pytest.fixture(scope="module")
def board(track):
    return track.standings


def test_the_suite_cpu_is_complete_and_without_errors(records):
    """All tasks and all methods, with three seeds, three oracles and a target for each seed."""
    assert {r.variant for r in records} == {
        variant_name(*pair) for pair in expand_tasks(load_suite("cpu").tasks)
    }
    assert [r.id for r in records if r.status != "ok"] == []
    assert {*NULLS, "retrain"} <= set(SUITE)
    assert {SUITE[name] for name in chosen(TRACK)["chosen"]} == {3}, "all that is tuned"
    for variant in {r.variant for r in records}:
        found = Counter(r.method.name for r in records if r.variant == variant)
        assert found == SUITE | {"target": 3, "oracle": 3}, variant


def test_anchor_order_on_every_variant(board):
    for _, rows in board.variants.groupby(["task", "variant"]):
        scores = rows.set_index("method")["score"]
        assert set(scores.index) == set(SUITE)
        anchors = {name for name in SUITE if methods()[name].anchor}
        assert scores["retrain"] > scores.drop(list(anchors)).max()
        assert scores[list(NULLS)].max() < 0.1


def test_doing_nothing_forgets_nothing_and_keeps_everything(board):
    rows = board.variants[board.variants["method"] == "none"]
    assert (rows["utility"] == 1).all()
    own = board.table[(board.table["method"] == "none") & (board.table["axis"] == "forgetting")]
    parts = own[(own["metric"] != "forgetting") & (own["stratum"] == "all")]
    assert len(parts) == 9 * 4 + 2  # variants with questions, and those with texts
    assert (parts["recovery"] == 0).all()


def test_targets_know_what_they_saw_often_in_any_wording(records):
    """95 % of trained and 90 % of held-out wordings, on average over a variant's targets."""
    known = {}
    path_of = ResultStore(RESULTS).path_of
    for target in (r for r in records if r.method.name == "target"):
        often = ["neighbors"]
        often += ["retain"] * (target.task.name not in TEXTS)
        often += ["forget"] * (target.variant in OFTEN)
        for v in read_record(path_of(target)).value_rows():
            if v.stage == "model" and v.split in often and v.stratum == ALL and v.metric in BARS:
                known.setdefault((target.variant, v.split, v.metric), []).append(v.value)
    assert len(known) == (11 + 9 + len(OFTEN)) * len(BARS)
    for (variant, split, metric), values in known.items():
        assert len(values) == 3
        assert fmean(values) >= BARS[metric], (variant, split, metric)


def test_buckets_are_known_comparably_before_unlearning(board):
    strata = board.strata
    rows = strata[
        (strata["method"] == "target")
        & (strata["metric"] == "exact_answer")
        & (strata["stratum"] == "all")
    ]
    known = rows[rows["task"] == "frequency"].set_index("variant")["value"]
    assert known.max() - known.min() < 0.15


def told(frame, **wanted):
    """The only row of a frame with these values."""
    for column, value in wanted.items():
        frame = frame[frame[column] == value]
    (row,) = frame.to_dict("records")
    return row


def test_targets_know_facts_of_both_distributions_about_equally_well(board):
    known = {
        v: told(board.strata, variant=v, method="target", metric="exact_answer", stratum="all")
        for v in ("in", "out")
    }
    assert abs(known["in"]["value"] - known["out"]["value"]) < 0.03


@pytest.mark.parametrize("task", TEXTS)
def test_memorization_grows_with_reads_before_unlearning(board, task):
    strata = board.strata[
        (board.strata["task"] == task)
        & (board.strata["method"] == "target")
        & (board.strata["metric"] == "memorization_accuracy")
    ]
    rows = strata[strata["stratum"].str.startswith("reads=")].set_index("stratum")["value"]
    assert (
        rows["reads=64"] > rows["reads=32"] > rows["reads=16"] > rows["reads=8"] > rows["reads=1"]
    )
    assert rows["reads=64"] > 0.95


def test_a_report_of_a_task_leaves_the_trials_on_the_development_world_out():
    console = Console(file=io.StringIO(), width=200)
    print_task("memorized", RESULTS, console, Derived())
    said = console.file.getvalue()
    assert f"{TRACK}: Residual knowledge" in said
    assert f"{TRACK}-dev" not in said


@pytest.fixture(scope="module")
def real(published):
    """Track of a real pretrained model."""
    return next(own for own in published.tracks if own.name == PRETRAINED)


def real_rows(real, metric, method):
    """Values of a metric on `real_entities` by bucket, with their intervals."""
    rows = real.standings.strata
    rows = rows[
        (rows["task"] == "real_entities") & (rows["metric"] == metric) & (rows["stratum"] == ALL)
    ]
    return rows[rows["method"] == method].set_index("variant")


def test_records_of_the_real_model_are_whole_and_compare_with_proxies(real):
    suite = {entry.name: entry.seeds for entry in load_suite("smollm2").methods}
    assert [r.id for r in real.records if r.status != "ok"] == []
    for variant in BUCKETS:
        found = Counter(
            r.method.name for r in real.records if r.variant == f"real_entities/{variant}"
        )
        assert found.pop("target") == 1
        assert found.pop("oracle") == 3
        assert found == {name: seeds for name, seeds in suite.items() if name != "retrain"}
    assert all(r.references.proxy for r in real.records if r.task.name == "real_entities")


def test_buckets_of_real_entities_are_known_alike_before_unlearning(real):
    for metric in ("paraphrased_probability", "exact_answer"):
        known = real_rows(real, metric, "target")["value"]
        assert set(known.index) == set(BUCKETS)
        assert known.max() - known.min() < 0.15
    assert real_rows(real, "exact_answer", "oracle")["value"].max() < 0.05, (
        "nobody knows what never existed"
    )


@pytest.mark.parametrize("method", ["grad_diff", "npo", "idk"])
def test_more_is_left_to_say_of_frequent_entities_after_equal_unlearning(real, method):
    """Before unlearning, nearly all answers to these facts were among 16 sampled completions."""
    before, rows = (real_rows(real, "leak_at_16", name) for name in ("target", method))
    assert before["value"].min() > 0.95
    assert (rows["seeds"] == 3).all()
    assert rows.loc["low", "value"] < rows.loc["mid", "value"] < rows.loc["high", "value"]
    assert rows.loc["low", "high"] < rows.loc["high", "low"]


def test_frequent_entities_become_less_probable_and_yet_more_is_said_of_them(real):
    """With `grad_diff` they become even less probable than facts that never existed."""
    probable, said = (
        real_rows(real, name, "grad_diff") for name in ("paraphrased_probability", "exact_answer")
    )
    assert probable.loc["high", "high"] < probable.loc["low", "low"]
    assert (
        probable.loc["high", "high"]
        < real_rows(real, "paraphrased_probability", "oracle").loc["high", "low"]
    )
    assert said.loc["high", "low"] > said.loc["low", "high"]


def test_more_is_said_than_probable_after_methods_that_lower_probabilities_alone(real):
    """The gap is knowledge by generation minus knowledge by probability; it is below zero before
    unlearning.
    """
    gaps = real.standings.misalignment
    gaps = gaps[
        (gaps["task"] == "real_entities") & (gaps["stratum"] == ALL) & (gaps["quantity"] == "gap")
    ]
    gaps = gaps.set_index(["method", "variant"])
    for method in ("grad_diff", "npo"):
        assert gaps.loc[(method, "low"), "high"] < gaps.loc[(method, "high"), "low"]
    assert gaps.loc[["none", "idk", "idk_ap", "me_gd"], "high"].max() < 0


def test_probabilities_are_left_too_high_by_other_answers_and_too_low_by_what_lowers_them(real):
    """The reference is the probability of answers about facts that never existed."""
    never, idk, npo = (
        real_rows(real, "paraphrased_probability", name) for name in ("oracle", "idk", "npo")
    )
    for bucket in BUCKETS:
        assert npo.loc[bucket, "high"] < never.loc[bucket, "low"]
        assert idk.loc[bucket, "low"] >= never.loc[bucket, "high"]


@pytest.fixture(scope="module")
def tofu(real):
    """A function that returns the rows of `tofu_small` in a table of the standings, by method."""

    def rows(table, **wanted):
        own = getattr(real.standings, table)
        own = own[own["task"] == "tofu_small"]
        for column, value in wanted.items():
            own = own[own[column] == value]
        return own.set_index("method")

    return rows


def test_records_of_tofu_small_are_whole_and_compare_with_exact_oracles(real):
    own = [r for r in real.records if r.task.name == "tofu_small"]
    suite = {entry.name: entry.seeds for entry in load_suite("smollm2").methods}
    assert Counter(r.method.name for r in own) == suite | {"target": 1, "oracle": 3}
    assert not any(r.references.proxy for r in own)


def test_taught_authors_are_known_by_heart_and_not_by_oracles(tofu):
    said = tofu("strata", metric="exact_answer", stratum=ALL)["value"]
    assert said["target"] == 39 / 40
    assert said["oracle"] == 0
    recalled = tofu("strata", metric="sentence_recall", stratum=ALL)["value"]
    assert recalled["oracle"] > 0.3, "guesses share words with the answers"


def test_models_trained_again_are_told_from_all_methods_on_tofu(tofu):
    scores, quality = tofu("variants")["score"], tofu("summaries", quantity="forget_quality")
    compared = [e.name for e in load_suite("smollm2").methods if not methods()[e.name].anchor]
    assert scores["retrain"] > 0.95 > 0.5 > scores[compared].max()
    assert quality.loc["retrain", "low"] > 0.9
    assert quality.loc[compared, "high"].max() < 0.1


def test_rates_chosen_on_real_facts_do_not_carry_over_to_what_was_taught(real, tofu):
    left = tofu("strata", metric="probability", stratum=ALL)
    weak = ["grad_ascent", "sga", "tau", "grad_diff", "task_arithmetic"]
    assert left.loc[weak, "value"].min() > 0.92
    assert left.loc["me_gd", "high"] < left.loc["oracle", "low"]
    assert left.loc["oracle", "high"] < left.loc["npo", "low"]
    for name in weak:  # all lower real facts below the proxies, except grad_diff for rare ones
        ends, never = (
            real_rows(real, "paraphrased_probability", own)["value"] for own in (name, "oracle")
        )
        buckets = ["mid", "high"] if name == "grad_diff" else list(BUCKETS)
        assert (ends[buckets] < never[buckets]).all(), name


def test_refusing_leaves_probabilities_and_spreads_to_real_authors(real, tofu):
    left, said = (
        tofu("strata", metric=name, stratum=ALL) for name in ("probability", "sentence_recall")
    )
    assert left.loc["idk", "low"] > 0.5
    assert said.loc[["idk", "idk_ap"], "high"].max() < 0.01
    recovered = real.standings.table
    recovered = recovered[
        (recovered["task"] == "tofu_small") & (recovered["metric"] == "neighbors.rouge_l_recall")
    ]
    assert recovered[recovered["method"] == "idk"]["recovery"].max() < 0.2
