"""Standings: ranks with ties, completeness, what is left out, and the exported table."""

import numpy as np
import pandas as pd
import pytest

from benchmark.errors import BadInput
from benchmark.records.frames import index_frame
from benchmark.statistics import AXES, recovery, standings
from benchmark.statistics.divisions import divided

COLUMNS = [
    *("track", "task", "variant", "method", "seed", "axis", "metric", "stratum"),
    *("value", "target", "oracle", "recovery", "n"),
]
REPLICATES = 100


def score(index, frames, expected=None, replicates=REPLICATES):
    return standings(index, frames, expected, replicates)


def ranks(found):
    """Rank by method, None for unranked methods."""
    return {
        r["method"]: None if pd.isna(r["rank"]) else int(r["rank"])
        for r in found.overall.to_dict("records")
    }


def of(table, **wanted):
    for column, value in wanted.items():
        table = table[table[column] == value]
    return table


@pytest.fixture(scope="module")
def board(make_board, model_frame):
    """Two methods with two seeds; `good` is far better."""
    return make_board(
        {
            "good": [model_frame(0.3, 0.88, seed=s) for s in (1, 2)],
            "bad": [model_frame(0.8, 0.5, seed=s) for s in (3, 4)],
        }
    )


@pytest.fixture(scope="module")
def found(board):
    return score(*board)


def test_the_same_input_gives_the_same_intervals(board, found):
    again = score(*board)
    for name in ("table", "variants", "overall", "uninformative", "strata"):
        pd.testing.assert_frame_equal(getattr(found, name), getattr(again, name))


@pytest.mark.parametrize(("asked", "counts"), [(8, True), (7, False)])
def test_an_attack_on_less_than_a_third_of_the_forget_set_does_not_count(board, asked, counts):
    """The forget set has 24 examples; the attack is the only one."""
    index, frames = board
    few = {
        record_id: frame[(frame["stage"] == "model") | frame.groupby("stage").cumcount().lt(asked)]
        for record_id, frame in frames.items()
    }
    robustness = score(index, few).overall.set_index("method")["robustness"]
    assert robustness.notna().all() == counts
    assert robustness.isna().all() != counts


def test_where_no_method_was_looked_at_on_the_way_there_are_no_trajectories(found):
    assert found.trajectories.empty
    assert found.levels.empty


def test_the_order_of_records_does_not_matter(board, found):
    index, frames = board
    for order in (index[::-1], index.sample(frac=1, random_state=3)):
        again = score(order, dict(reversed(frames.items())))
        for name in ("table", "variants", "overall", "uninformative", "strata"):
            pd.testing.assert_frame_equal(getattr(found, name), getattr(again, name))


def test_the_order_of_examples_does_not_matter(board, found):
    index, frames = board
    shuffled = {i: f.sample(frac=1, random_state=n) for n, (i, f) in enumerate(frames.items())}
    pd.testing.assert_frame_equal(score(index, shuffled).overall, found.overall)


def test_estimates_are_plain_and_do_not_depend_on_the_draws(board, found):
    fewer = score(*board, replicates=10)
    pd.testing.assert_frame_equal(fewer.table, found.table)
    for name in (*AXES, "score"):
        assert fewer.overall[name].tolist() == pytest.approx(found.overall[name].tolist())


def test_intervals_hold_their_estimate_and_are_not_empty(found):
    for row in (*found.variants.to_dict("records"), *found.overall.to_dict("records")):
        for name in (*AXES, "score"):
            assert row[f"{name}_low"] <= row[name] <= row[f"{name}_high"]
        assert row["score_low"] < row["score_high"]


def test_methods_are_means_over_seeds_and_variants(
    board, found, make_board, model_frame, join_boards
):
    per_run = of(found.table, metric="score", method="good")
    assert of(found.variants, method="good")["score"].item() == pytest.approx(
        per_run["value"].mean()
    )
    second = make_board(
        {"good": [model_frame(0.5, 0.8)], "bad": [model_frame(0.8, 0.7)]}, variant="high"
    )
    both = score(*join_boards(board, second))
    own = of(both.variants, method="good")
    assert len(own) == 2
    assert of(both.overall, method="good")["score"].item() == pytest.approx(own["score"].mean())
    assert of(both.overall, method="good")[["variants", "runs"]].to_numpy().tolist() == [[2, 3]]


def test_a_clearly_better_method_ranks_above(found):
    assert ranks(found) == {"good": 1, "bad": 2}
    assert found.overall["method"].tolist() == ["good", "bad"]


def test_identical_methods_tie(make_board, model_frame):
    same = [model_frame(0.4, seed=1)]
    found = score(*make_board({"one": same, "two": same, "worse": [model_frame(0.8, 0.4, seed=2)]}))
    assert ranks(found) == {"one": 1, "two": 1, "worse": 3}
    one, two = of(found.overall, method="one"), of(found.overall, method="two")
    assert one[["score", "score_low", "score_high"]].to_numpy() == pytest.approx(
        two[["score", "score_low", "score_high"]].to_numpy()
    )


def test_a_difference_within_noise_is_a_tie(make_board, model_frame):
    """One method is slightly better on average, due to a few examples that other draws may not
    contain.
    """
    noisy = {
        "one": [model_frame(0.50, seed=11, noise=0.2)],
        "two": [model_frame(0.51, seed=12, noise=0.2)],
    }
    found = score(*make_board(noisy))
    assert found.overall["score"].nunique() == 2
    assert set(ranks(found).values()) == {1}


def test_differences_are_paired(make_board, model_frame):
    """A method that is slightly better on every example is certainly better, although the intervals
    overlap.
    """
    one, two = model_frame(0.5, seed=5, noise=0.15), model_frame(0.5, seed=5, noise=0.15)
    forgetting = [
        "paraphrased_probability",
        "truth_ratio",
        "exact_answer",
        "mia_loss",
    ]
    two.loc[two["split"] == "forget", forgetting] -= 0.02
    found = score(*make_board({"one": [one], "two": [two]}))
    assert ranks(found) == {"two": 1, "one": 2}
    assert (
        of(found.overall, method="two")["score_low"].item()
        < of(found.overall, method="one")["score_high"].item()
    )


def test_a_row_without_every_variant_is_unranked(board, make_board, model_frame, join_boards):
    second = make_board({"bad": [model_frame(0.8, 0.5, seed=s) for s in (5, 6)]}, variant="high")
    found = score(*join_boards(board, second))
    assert ranks(found) == {"good": None, "bad": 1}
    assert dict(zip(found.overall["method"], found.overall["complete"], strict=True)) == {
        "good": False,
        "bad": True,
    }


def test_a_row_without_every_seed_is_unranked(board):
    found = score(*board, expected={"good": 3, "bad": 2})
    assert ranks(found) == {"good": None, "bad": 1}


def test_anchors_are_scored_but_not_ranked(make_board, model_frame):
    methods = {"none": [model_frame(0.9, seed=1)], "honest": [model_frame(0.4, 0.8, seed=2)]}
    found = score(*make_board(methods, anchors=("none",)))
    assert ranks(found) == {"none": None, "honest": 1}
    assert of(found.overall, method="none")["anchor"].item()


def test_tracks_are_ranked_apart(board, make_board, model_frame, join_boards):
    other = make_board({"bad": [model_frame(0.6, seed=1)]}, track="large")
    overall = score(*join_boards(board, other)).overall
    assert of(overall, track="large")["rank"].tolist() == [1]
    assert of(overall, track="toy", method="bad")["rank"].tolist() == [2]


def test_null_models_cannot_win(make_board, model_frame, board):
    """Doing nothing and destroying everything stay below the bound set by one lost axis."""
    index, frames = board
    nothing = frames[index.loc[index["role"] == "target", "id"].item()]
    found = score(*make_board({"nothing": [nothing], "junk": [model_frame(0.2, 0, noise=0)]}))
    for method in ("nothing", "junk"):
        assert of(found.overall, method=method)["score"].item() <= 4 / (1 / 0.01 + 3)


def test_an_oracle_as_a_method_is_at_the_top(make_board, model_frame):
    found = score(
        *make_board(
            {"retrain": [model_frame(0.2, seed=50)], "good": [model_frame(0.4, 0.8, seed=1)]}
        )
    )
    retrain = of(found.overall, method="retrain")
    assert retrain["score"].item() > 0.85
    assert ranks(found) == {"retrain": 1, "good": 2}


@pytest.fixture
def two_targets(make_board, model_frame):
    """The second seed of the method starts from a target that knows less."""
    index, frames = make_board({"good": [model_frame(0.4, seed=s, noise=0) for s in (1, 2)]})
    other = model_frame(0.6, 0.6, seed=101, noise=0)
    frames[index.loc[0, "id"]] = model_frame(0.9, 0.9, seed=100, noise=0)
    row = index.iloc[[0]].assign(id="other", seed=1, target="other")
    index.loc[(index["method"] == "good") & (index["seed"] == 1), "target"] = "other"
    return pd.concat([index, row], ignore_index=True), {**frames, "other": other}


def test_each_seed_is_scored_against_the_target_that_it_started_from(two_targets):
    """The oracles know about .2 of the forget set and the method .4: it kept .2 of the .7 by which
    the first target exceeded them, and half of the .4 by which the second did. On the retain set
    the method knows .9, the second target .6.
    """
    table = of(score(*two_targets).table, metric="paraphrased_probability", stratum="all")
    first, second = (of(table, seed=seed).iloc[0] for seed in (0, 1))
    assert (first["target"], second["target"]) == pytest.approx((0.9, 0.6))
    oracle = first["oracle"]
    assert first["recovery"] == pytest.approx(1 - (0.4 - oracle) / (0.9 - oracle), abs=0.01)
    assert second["recovery"] == pytest.approx(1 - (0.4 - oracle) / (0.6 - oracle), abs=0.01)
    kept = of(score(*two_targets).table, metric="retain.probability", stratum="all")
    assert of(kept, seed=0)["recovery"].item() == pytest.approx(1)
    assert of(kept, seed=0)["target"].item() == pytest.approx(0.9)
    assert of(kept, seed=1)["target"].item() == pytest.approx(0.6)


def test_a_metric_that_one_target_does_not_inform_about_is_left_out(two_targets):
    index, frames = two_targets
    oracle = frames[index.loc[index["role"] == "oracle", "id"].iloc[0]]
    frames["other"] = frames["other"].assign(exact_answer=oracle["exact_answer"])
    found = score(index, frames)
    row = of(found.uninformative, metric="exact_answer")
    assert row["reason"].item() == "target and oracles differ by less than 0.05"
    assert abs(row["target"].item() - row["oracle"].item()) < 0.05
    assert of(found.uninformative, metric="truth_ratio").empty


def test_the_row_of_the_targets_is_their_mean(two_targets):
    rows = of(score(*two_targets).strata, method="target", metric="probability", stratum="all")
    assert (rows["value"].item(), rows["seeds"].item()) == (pytest.approx(0.75), 2)


def test_two_targets_of_one_seed_are_refused(two_targets):
    index, frames = two_targets
    with pytest.raises(BadInput, match="two targets of one variant and seed"):
        score(index.assign(seed=index["seed"].where(index["id"] != "other", 0)), frames)


def test_uninformative_metrics_are_left_out_and_listed(board, found):
    index, frames = board
    target_id = index.loc[index["role"] == "target", "id"].item()
    oracle_id = index.loc[index["role"] == "oracle", "id"].iloc[0]
    changed = {i: f.copy() for i, f in frames.items()}
    changed[target_id]["exact_answer"] = changed[oracle_id]["exact_answer"]
    again = score(index, changed)
    assert of(found.uninformative, metric="exact_answer").empty
    listed = of(again.uninformative, metric="exact_answer")
    assert listed[["track", "task", "variant", "axis"]].to_numpy().tolist() == [
        ["toy", "towns", "low", "forgetting"]
    ]
    assert listed["target"].item() == pytest.approx(
        changed[target_id].query("stage == 'model'")["exact_answer"].mean()
    )
    left_out = of(again.table, metric="exact_answer", stratum="all")
    assert left_out["recovery"].isna().all()
    assert left_out["value"].notna().all()
    recoveries = of(again.table, axis="forgetting", stratum="all", method="good", seed=0).set_index(
        "metric"
    )["recovery"]
    used = recoveries.drop("forgetting").dropna()
    assert "exact_answer" not in used
    axis = of(again.table, metric="forgetting", method="good", seed=0)["value"].item()
    assert axis == pytest.approx(len(used) / (1 / used).sum())


def test_the_exported_table_has_exactly_these_columns(found):
    assert list(found.table.columns) == COLUMNS


def test_the_exported_table_has_a_row_per_axis_and_the_score_of_each_run(found):
    for method in ("good", "bad"):
        for seed in (0, 1):
            run = of(found.table, method=method, seed=seed)
            for name in (*AXES, "score"):
                assert len(of(run, axis=name, metric=name, stratum="all")) == 1
    assert not found.table.duplicated(COLUMNS[:8]).any()


def test_exported_values_are_those_of_the_examples(board, found):
    index, frames = board
    row = of(
        found.table,
        method="good",
        seed=1,
        metric="paraphrased_probability",
        stratum="frequency=low",
    ).iloc[0]

    def mean(role, seed):
        frame = frames[of(index, method=role, seed=seed)["id"].item()]
        rows = frame[
            (frame["stage"] == "model")
            & (frame["split"] == "forget")
            & frame["strata"].str.contains("low")
        ]
        return rows["paraphrased_probability"].mean()

    oracle = (mean("oracle", 1) + mean("oracle", 2)) / 2
    assert row["value"] == pytest.approx(mean("good", 1))
    assert row["target"] == pytest.approx(mean("target", 0))
    assert row["oracle"] == pytest.approx(oracle)
    expected = recovery(*(np.array([v]) for v in (mean("good", 1), mean("target", 0), oracle)))[0]
    assert row["recovery"] == pytest.approx(expected)
    assert row["n"] == 12
    assert row["axis"] == "forgetting"


def test_exported_names_say_split_and_attack(found):
    names = set(found.table["metric"])
    assert {"exact_answer", "retain.probability", "quantize.exact_answer"} <= names
    attacked = of(found.table, metric="quantize.exact_answer")
    assert set(attacked["axis"]) == {"robustness"}
    assert set(of(found.table, metric="retain.probability")["axis"]) == {"utility"}
    assert set(of(found.table, metric="probability")["axis"]) == {""}


def test_utility_in_the_table_is_method_over_target(found):
    row = of(found.table, method="bad", seed=0, metric="retain.probability", stratum="all").iloc[0]
    assert row["recovery"] == pytest.approx(row["value"] / row["target"])


def test_n_is_the_number_of_examples_that_the_run_scored(board):
    """Not the target's number: readers must see that a method's mean is based on fewer examples."""
    index, frames = board
    record_id = of(index, method="good", seed=0)["id"].item()
    frame = frames[record_id].copy()
    failed = frame.index[(frame["stage"] == "model") & (frame["split"] == "forget")][:5]
    frame.loc[failed, "paraphrased_probability"] = np.nan
    table = score(index, frames | {record_id: frame}).table
    row = of(table, method="good", seed=0, metric="paraphrased_probability", stratum="all")
    assert row["n"].item() == 24 - 5


def test_strata_have_intervals_for_methods_target_and_oracle(found):
    rows = of(found.strata, metric="exact_answer")
    assert set(rows["method"]) == {"good", "bad", "target", "oracle"}
    assert set(rows["stratum"]) == {"all", "frequency=low", "frequency=high"}
    assert (rows["low"] <= rows["value"]).all()
    assert (rows["value"] <= rows["high"]).all()
    assert of(rows, stratum="all", method="good")["n"].item() == 24


def test_a_small_stratum_has_an_interval(make_board, model_frame):
    """With 2 of 12 entities, every ninth draw contains neither; the other draws still show how
    certain the value is.
    """

    def rare(i):
        return {"frequency": "rare" if i < 4 else "common"}

    strata = score(
        *make_board({"good": [model_frame(0.4, seed=1, strata=rare)]}, strata=rare)
    ).strata
    row = of(strata, method="good", metric="exact_answer", stratum="frequency=rare").iloc[0]
    assert row["low"] < row["value"] < row["high"]


def test_a_variant_without_references_is_left_out(board):
    index, frames = board
    for role in ("target", "oracle"):
        found = score(index[index["role"] != role], frames)
        assert found.table.empty
        assert found.overall.empty


def test_references_alone_give_no_rows_but_their_strata(board):
    index, frames = board
    found = score(index[index["role"] != "method"], frames)
    assert found.table.empty
    assert found.overall.empty
    assert set(found.strata["method"]) == {"target", "oracle"}


def test_no_records_give_empty_tables_with_their_columns():
    found = standings(index_frame([]), {})
    assert list(found.table.columns) == COLUMNS
    assert all(
        len(t) == 0
        for t in (found.table, found.variants, found.overall, found.uninformative, found.strata)
    )


def test_two_records_of_one_method_and_seed_do_not_replace_each_other_by_chance(board, model_frame):
    """This happens after a method's source was changed: refuse or apply a rule, but never keep
    whichever comes last.
    """
    index, frames = board
    again = of(index, method="good", seed=0).assign(id="again")
    frames = frames | {"again": model_frame(0.7, 0.6, seed=9)}

    def outcome(order):
        try:
            return score(order, frames).overall.to_dict("records")
        except (BadInput, ValueError) as error:
            return type(error)

    assert outcome(pd.concat([index, again])) == outcome(pd.concat([again, index]))


def test_guardrails_are_ranked_apart_and_change_no_rank_or_score(make_board, model_frame):
    honest = {"good": [model_frame(0.3, 0.85, seed=1)], "bad": [model_frame(0.8, 0.5, seed=2)]}
    filters = {"filter": [model_frame(0.25, 0.9, seed=3)], "sieve": [model_frame(0.8, 0.5, seed=4)]}
    alone = score(*make_board(honest))
    both = score(*make_board(honest | filters, guardrails=tuple(filters)))
    assert ranks(both) == {"good": 1, "bad": 2, "filter": 1, "sieve": 2}
    assert set(of(both.overall, division="guardrail")["method"]) == set(filters)
    kept = both.overall[both.overall["method"].isin(honest)].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, alone.overall, check_dtype=False)
    assert ranks(score(*make_board(honest | filters))) != ranks(both), "a filter would win"


def test_a_method_with_one_run_behind_a_guardrail_is_a_guardrail(make_board, model_frame):
    frames = [model_frame(0.3, 0.85, seed=s) for s in (1, 2)]
    index, examples = make_board({"mixed": frames, "good": frames})
    one = (index["method"] == "mixed") & (index["seed"] == 1)
    index.loc[one, "division"] = "guardrail"
    divisions = score(index, examples).overall.set_index("method")["division"]
    assert divisions.to_dict() == {"mixed": "guardrail", "good": "weights"}


def test_anchors_stand_in_every_table_and_make_none():
    rows = [("none", True, "weights"), ("wall", True, "guardrail"), ("npo", False, "weights")]

    def tables(rows):
        found = divided(rows, lambda row: row[1], lambda row: row[2])
        return {division: [name for name, *_ in own] for division, own in found}

    assert tables(rows) == {"weights": ["none", "wall", "npo"]}
    filtered = [*rows, ("filter", False, "guardrail")]
    assert tables(filtered) == {
        "weights": ["none", "wall", "npo"],
        "guardrail": ["none", "wall", "filter"],
    }
    assert tables(filtered[:2]) == {"weights": ["none", "wall"]}
    assert tables(filtered[3:]) == {"guardrail": ["filter"]}
