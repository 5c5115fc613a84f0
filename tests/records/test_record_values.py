"""Values in columns: only excess digits are lost; and what a trial keeps."""

import dataclasses
import math

import numpy as np
import pytest

from benchmark.metrics.base import Value
from benchmark.metrics.frames import example_frame
from benchmark.metrics.values import metric_values
from benchmark.records.schema import TrialScore
from benchmark.records.values import (
    about,
    recorded,
    rows_of,
    tables_of,
    trial_tables,
    versions_of,
)


def value(stratum="all", metric="probability", number=0.5, scored=4, failed=0, **place):
    place = {"stage": "model", "split": "forget"} | place
    return Value(
        **place, metric=metric, stratum=stratum, value=number, n_scored=scored, n_failed=failed
    )


def key(row):
    return row.stage, row.split, row.metric, row.stratum


@pytest.fixture
def values(model_samples):
    frames = [
        example_frame(model_samples(known, 0.9, seed)) for seed, known in enumerate((0.5, 0.2))
    ]
    return metric_values(frames[0], frames[1:])


def test_rows_are_the_values_that_were_written(values):
    tables = tables_of(values)
    rows = {key(row): row for row in rows_of(tables, versions_of(tables))}
    assert len(values) == len(rows) > 50
    for one in values:
        row = rows[key(one)]
        assert row.value == pytest.approx(one.value, rel=5.001e-6, nan_ok=True)
        assert (row.n_scored, row.n_failed) == (one.n_scored, one.n_failed)
        assert (row.better, row.unit, row.version) == about(one.metric)


def test_tables_of_their_own_rows_are_the_same(values):
    tables = tables_of(values)
    assert repr(tables_of(rows_of(tables, versions_of(tables)))) == repr(tables)


def test_a_table_in_full():
    own = [
        value(number=1 / 3),
        value("a=1", number=float("nan"), scored=0, failed=3),
        value(metric="exact_answer", number=1.0, scored=3, failed=1),
    ]
    (table,) = tables_of(own)["model"].values()
    assert table.strata == ["all", "a=1"]
    assert table.n == [4, 3]
    assert table.values["exact_answer"] == [1.0, None]
    assert table.values["probability"][0] == 0.333333
    assert math.isnan(table.values["probability"][1])
    assert table.failed == {"probability": [0, 3], "exact_answer": [1, 0]}


def test_two_counts_of_one_stratum_are_refused():
    with pytest.raises(ValueError, match="exact_answer counts 5 examples of all, not 4"):
        tables_of([value(), value(metric="exact_answer", scored=5)])


@pytest.mark.parametrize(
    ("number", "expected"),
    [(0.123456789, 0.123457), (1.23456789e-9, 1.23457e-9), (-12345678.9, -12345700.0), (0, 0)],
)
def test_six_significant_digits(number, expected):
    assert recorded(number) == expected


def test_a_trial_keeps_the_forget_set_of_the_final_and_of_attacked_models():
    own = [value(), value("a=1"), value("a=1", metric="exact_answer")]
    own += [
        dataclasses.replace(one, stage=stage)
        for one in own
        for stage in ("shaken", "shaken 010", "budget 0.50")
    ]
    own += [dataclasses.replace(value(), split="retain")]
    assert trial_tables({}) == {}, "a trial that failed"
    tables = trial_tables(tables_of(own))
    assert {stage: set(splits) for stage, splits in tables.items()} == {
        "model": {"forget"},
        "shaken": {"forget"},
    }
    for splits in tables.values():
        assert splits["forget"].model_dump() == {
            "strata": ["all"],
            "n": [4],
            "values": {"probability": [0.5]},
            "failed": {},
        }


def test_an_anchors_trial_keeps_what_metrics_are_judged_by():
    own = [value(stratum) for stratum in ("all", "memorization=low", "reads=2")]
    tables = trial_tables(tables_of(own), "memorization")
    assert tables["model"]["forget"].strata == ["all", "memorization=low"]
    assert tables["model"]["forget"].values == {"probability": [0.5, 0.5]}
    assert trial_tables(tables, "memorization") == tables


def test_replicates_of_a_trial_come_back_to_three_places_and_are_small():
    rng = np.random.default_rng(0)
    score = np.clip(0.5 + 0.05 * rng.normal(size=1001), 0, 1)
    score[7] = np.nan
    trial = TrialScore.of({"forgetting": 1 / 3, "privacy": float("nan")}, score)
    np.testing.assert_allclose(trial.replicates, score, rtol=0, atol=0.5001e-3)
    assert len(trial.model_dump_json()) < 3000
    again = TrialScore.model_validate_json(trial.model_dump_json())
    np.testing.assert_array_equal(again.replicates, trial.replicates)
    assert again.axes["forgetting"] == 0.333333
    assert math.isnan(again.axes["privacy"])


@pytest.mark.parametrize("packed", ["", "x", "garbage", "\u00e9"])
def test_a_score_that_is_none_is_a_value_error(packed):
    with pytest.raises(ValueError, match=r"\w"):
        _ = TrialScore(axes={}, score=0.5, drawn=packed).replicates
