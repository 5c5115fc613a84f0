"""Agreement of metrics on values with known ranks."""

import pandas as pd
import pytest

from benchmark.statistics.metric_agreement import metric_agreement

REFERENCES = {"target": [1.0], "oracle": [0.0, 0.02]}


def values(metric, by_method, variant="v", references=REFERENCES, anchors=()):
    """One row per run; `by_method` has the values of each method's runs."""
    rows = [
        {"variant": variant, "method": method, "anchor": method in anchors, "value": value}
        for method, runs in {**references, **by_method}.items()
        for value in runs
    ]
    return pd.DataFrame(rows).assign(metric=metric, stage="model", stratum="all")


def agree(*parts):
    found = metric_agreement(pd.concat(parts))
    return found.set_index(["one", "other"])["tau"].to_dict() if len(found) else {}


RANKED = {"a": [0.1], "b": [0.3], "c": [0.5], "d": [0.8]}


def test_the_same_order_agrees_and_the_reverse_disagrees():
    reverse = {name: [0.9 - runs[0]] for name, runs in RANKED.items()}
    found = agree(values("first", RANKED), values("second", RANKED), values("third", reverse))
    assert found["first", "second"] == pytest.approx(1)
    assert found["first", "third"] == pytest.approx(-1)


def test_runs_are_averaged_before_they_are_compared():
    """The two runs of `b` lie on either side of its value in the other metric."""
    found = agree(values("first", RANKED), values("second", {**RANKED, "b": [0.0, 0.6]}))
    assert found["first", "second"] == pytest.approx(1)


def test_points_lie_on_a_common_scale():
    """On the second variant all values, references included, are a tenth; the ranks of the
    recoveries over both variants agree nevertheless.
    """
    small = {name: [v / 10 for v in runs] for name, runs in RANKED.items()}
    references = {name: [v / 10 for v in runs] for name, runs in REFERENCES.items()}
    found = agree(
        values("first", RANKED),
        values("first", RANKED, "w"),
        values("second", RANKED),
        values("second", small, "w", references),
    )
    assert found["first", "second"] == pytest.approx(1)


def test_anchors_and_metrics_that_do_not_inform_are_left_out():
    silent = {"target": [0.03], "oracle": [0.0, 0.02]}
    assert agree(values("first", RANKED), values("second", RANKED, references=silent)) == {}
    wrong = {**RANKED, "e": [0.99]}
    found = agree(
        values("first", {**RANKED, "e": [0.0]}, anchors=("e",)),
        values("second", wrong, anchors=("e",)),
    )
    assert found["first", "second"] == pytest.approx(1)


def test_without_references_nothing_is_compared():
    assert agree(values("first", RANKED, references={}), values("second", RANKED)) == {}
    assert metric_agreement(values("first", RANKED).iloc[:0]).empty
