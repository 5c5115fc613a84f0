"""Comparison of two methods: the differences of the standings, paired, and the examples behind
them.
"""

import numpy as np
import pandas as pd
import pytest

from benchmark.errors import BadInput
from benchmark.statistics.comparison import ALL_VARIANTS, compare
from benchmark.statistics.ranking import standings

REPLICATES = 200


@pytest.fixture(scope="module")
def board(make_board, model_frame):
    """Two variants; `better` forgets more than `worse` on both, with two seeds each."""
    methods = {
        "better": [model_frame(0.25, seed=1), model_frame(0.3, seed=2)],
        "worse": [model_frame(0.6, seed=3), model_frame(0.65, seed=4)],
    }
    boards = [make_board(methods, variant=variant) for variant in ("low", "high")]
    index = pd.concat([index for index, _ in boards], ignore_index=True)
    return index, {key: frame for _, frames in boards for key, frame in frames.items()}


@pytest.fixture(scope="module")
def comparison(board):
    return compare(*board, "better", "worse", REPLICATES)


def test_differences_are_those_of_the_standings(board, comparison):
    made = standings(*board, replicates=REPLICATES)
    values = made.variants.set_index(["variant", "method"])
    overall = made.overall.set_index("method")
    for row in comparison.axes.to_dict("records"):
        table = overall if row["variant"] == ALL_VARIANTS else values.loc[row["variant"]]
        one, other = (float(table.loc[name, row["quantity"]]) for name in ("better", "worse"))
        assert (row["one"], row["other"]) == pytest.approx((one, other))
        assert row["difference"] == pytest.approx(one - other)
        assert row["low"] <= row["difference"] <= row["high"]


def test_what_is_certainly_better_has_an_interval_above_zero(comparison):
    forgetting = comparison.axes[comparison.axes["quantity"] == "forgetting"]
    assert set(forgetting["variant"]) == {"low", "high", ALL_VARIANTS}
    assert (forgetting["low"] > 0).all()


def test_differences_are_paired(board, comparison):
    """The difference of a row from itself is zero, however wide the row's own interval."""
    same = compare(*board, "worse", "worse", REPLICATES)
    assert (same.axes[["difference", "low", "high"]] == 0).all(axis=None)
    assert same.examples.empty
    turned = compare(*board, "worse", "better", REPLICATES)
    assert np.allclose(turned.axes["difference"], -comparison.axes["difference"])
    assert np.allclose(turned.axes["low"], -comparison.axes["high"])


def test_examples_are_means_over_seeds_and_those_that_differ_most_come_first(board, comparison):
    index, frames = board
    rows = comparison.examples
    gaps = (rows["one"] - rows["other"]).abs()
    assert gaps.is_monotonic_decreasing
    assert (gaps > 0).all()
    first = rows.iloc[0]
    assert (first["split"], first["metric"]) in {
        ("forget", "exact_answer"),
        ("retain", "rouge_l_recall"),
    }
    chosen = index[(index["variant"] == first["variant"]) & (index["method"] == "better")]
    values = []
    for record_id in chosen["id"]:
        frame = frames[record_id]
        place = (frame["stage"] == "model") & (frame["split"] == first["split"])
        part = frame[place & (frame["example"] == first["example"])]
        values.append(part[first["metric"]].iloc[0])
    assert first["one"] == pytest.approx(np.mean(values))


def test_rows_without_a_common_variant_are_bad_input(board, make_board, model_frame):
    index, frames = board
    alone = make_board({"other": [model_frame(0.4, seed=9)]}, variant="mid")
    both = (pd.concat([index, alone[0]], ignore_index=True), frames | alone[1])
    with pytest.raises(BadInput, match="no variant has both better and other"):
        compare(*both, "better", "other", REPLICATES)
