"""The rule of the axes, on tables with known verdicts."""

import numpy as np
import pandas as pd
import pytest

from benchmark.statistics import axes, standings
from benchmark.statistics.axis_rule import below_the_bar, judged_rows, unjudged


def tables(
    metric,
    group="questions",
    auc=1.0,
    control=(0.3, 0.7),
    passed=1.0,
    symmetric=0.5,
    informative=True,
):
    """The four tables of one metric; without `control`, `passed` or `symmetric`, that quantity was
    not measured.
    """
    place = {"group": group, "metric": metric}
    bars = {**place, "auc": auc, "low": auc, "high": auc, "knowing": 30, "ignorant": 30}
    bars["informative"] = informative
    ends = {"low": control[0], "high": control[1]} if control else {"low": 0, "high": 1}
    name = "oracle against oracle" if control else "target against target"
    audit = [{**place, "passed": passed, "oracles": 3}] if passed is not None else []
    robust = [{**place, "one_sided": 0.5, "symmetric": symmetric, "rows": 3}] if symmetric else []
    columns = [*place, "one_sided", "symmetric", "rows", "passed", "oracles"]
    return (
        pd.DataFrame([bars]),
        pd.DataFrame([{**place, "control": name, "auc": 0.5, **ends}]),
        pd.DataFrame(audit, columns=[*place, "passed", "oracles"]),
        pd.DataFrame(robust, columns=columns[:5]),
    )


def judged(*one_by_one):
    return judged_rows(*(pd.concat(parts) for parts in zip(*one_by_one, strict=True)))


@pytest.mark.parametrize(
    ("told", "meets"),
    [
        ({}, True),
        ({"auc": 0.9}, True),
        ({"auc": 0.89}, False),
        ({"control": (0.5, 0.9)}, True),
        ({"control": (0.51, 0.9)}, False),
        ({"control": (0.1, 0.49)}, False),
        ({"passed": 0.9}, True),
        ({"passed": 0.89}, False),
        ({"symmetric": 0.01}, True),  # robustness is not part of the rule
        ({"control": None, "passed": None, "symmetric": None}, True),
    ],
)
def test_the_rule_asks_for_faithfulness_neutrality_and_oracles_that_pass(told, meets):
    [row] = judged(tables("exact_answer", **told)).to_dict("records")
    assert row["meets"] is meets
    assert (row["form"], row["axis"]) == ("names", "forgetting")
    assert below_the_bar(judged(tables("exact_answer", **told))) == (
        [] if meets else ["exact_answer of names"]
    )


def test_overall_is_the_harmonic_mean_of_faithfulness_and_symmetric_robustness():
    [row] = judged(tables("exact_answer", auc=0.9, symmetric=0.3)).to_dict("records")
    assert row["overall"] == pytest.approx(2 / (1 / 0.9 + 1 / 0.3))
    [row] = judged(tables("exact_answer", symmetric=None)).to_dict("records")
    assert np.isnan(row["overall"])


def test_membership_is_held_against_models_that_saw_the_examples():
    """Other models may know what the examples say without having seen them."""
    found = judged(
        tables("mia_loss", auc=0.5),
        tables("mia_loss", "seen questions", auc=1.0),
        tables("exact_answer", auc=1.0),
        tables("exact_answer", "seen questions", auc=0.5),
        tables("privleak", "seen texts", auc=1.0),
        tables("privleak", "texts", auc=0.5),
    )
    assert found["auc"].tolist() == [1, 1, 1]
    assert set(found["metric"]) == {"mia_loss", "exact_answer", "privleak"}


def test_a_metric_has_to_meet_the_rule_on_every_form_of_answers():
    found = judged(
        tables("exact_answer"),
        tables("exact_answer", "texts", auc=0.8),
        tables("probability", "texts", auc=0.2),
    )
    assert below_the_bar(found) == ["exact_answer of texts"], "probability feeds no axis"


def test_strata_judge_no_metric():
    assert judged(tables("exact_answer", "low memorization", auc=0.1)).empty


def test_what_attacks_alone_measure_stands_for_the_metric_of_the_axis():
    found = judged(
        tables("sampling: leak_at_16", auc=0.4),
        tables("sampling: exact_answer", auc=0.4),
        tables("exact_answer"),
    )
    assert below_the_bar(found) == ["sampling: leak_at_16 of names"]
    assert {"choice_accuracy", "sentence_recall"} <= set(unjudged(found))
    assert not {"leak_at_16", "exact_answer"} & set(unjudged(found))


def test_what_hardly_moves_on_a_form_is_not_judged_there():
    """The score leaves such a metric out, whatever its AUC."""
    found = judged(tables("paraphrased_probability", "SmolLM2", auc=0.3, informative=False))
    assert below_the_bar(found) == []
    assert not found["meets"].any()


def test_a_metric_that_fails_on_one_form_feeds_no_axis_there(monkeypatch):
    monkeypatch.setattr(axes, "BARRED", {"sentence": frozenset({"exact_answer"})})
    found = judged(tables("exact_answer", "SmolLM2", auc=0.7), tables("exact_answer"))
    assert found.set_index("form")["axis"].to_dict() == {"names": "forgetting", "sentences": ""}
    assert below_the_bar(found) == []


def test_the_score_leaves_out_what_is_barred_for_its_form(make_board, model_frame, monkeypatch):
    monkeypatch.setattr(axes, "BARRED", {"sentence": frozenset({"exact_answer"})})
    index, frames = make_board({"a": [model_frame(0.3)]})
    for form, expected in (
        ("name", set()),
        ("sentence", {"exact_answer", "quantize.exact_answer"}),
    ):
        told = {name: frame.assign(form=form) for name, frame in frames.items()}
        left = set(standings(index, told, replicates=10).uninformative["metric"])
        assert {name for name in left if name.endswith("exact_answer")} == expected
