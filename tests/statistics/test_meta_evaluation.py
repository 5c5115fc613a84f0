"""Meta-evaluation on values with known results."""

from itertools import product
from types import SimpleNamespace

import pandas as pd
import pytest

from benchmark.data.tellings import KNOWING, TELLINGS
from benchmark.statistics.meta_evaluation import (
    audit_rows,
    caught_rows,
    control_rows,
    faithfulness_rows,
    labelled,
    pools_of,
    robustness_rows,
    useful_rows,
)

RATES, LENGTHS = (1e-3, 2e-3, 3e-3, 4e-3), (5, 10)


def pool_values(value_of, variant="memorized", stage="model", metric="probability", stratum="all"):
    """One row per model of the pools, with the value `value_of(telling, learning_rate, epochs)`."""
    return pd.DataFrame(
        {
            **{"id": f"{telling}-{rate}-{epochs}", "track": "toy", "variant": variant},
            **{"method": "pool", "seed": 0, "telling": telling, "epochs": epochs},
            **{"learning_rate": rate, "stage": stage, "metric": metric, "stratum": stratum},
            "value": value_of(telling, rate, epochs),
        }
        for telling, rate, epochs in product(TELLINGS, RATES, LENGTHS)
    )


def knows(telling, rate, epochs):
    return float(telling in KNOWING)


def test_a_metric_that_tells_who_knows_is_faithful_in_every_group_that_has_it():
    values = pd.concat(
        [
            pool_values(knows),
            pool_values(lambda *model: 1 - knows(*model), variant="frequency/low"),
            pool_values(knows, stratum="memorization=low"),
        ]
    )
    rows = faithfulness_rows(pools_of(values)).set_index("group")
    assert rows["auc"].to_dict() == {
        "questions": 0,
        "low frequency": 0,
        "texts": 1,
        "low memorization": 1,
        "seen questions": 0,
        "seen texts": 1,
    }
    assert (rows["ignorant"] == 24).all()
    assert (rows["knowing"] == 24 - 16 * rows.index.str.startswith("seen")).all()
    assert rows.loc["texts", "threshold"] == 0.5


def test_an_attack_that_asks_makes_a_metric_of_its_own():
    stages = ["model", "prefix", "gradient_norm"]
    values = pd.concat([pool_values(knows, stage=stage) for stage in stages])
    assert list(dict.fromkeys(labelled(values)["metric"])) == ["probability", "prefix: probability"]


def test_a_metric_that_one_model_lacks_is_not_judged():
    values = pool_values(knows)
    values.loc[0, "value"] = float("nan")
    assert faithfulness_rows(pools_of(values)).empty
    other = pool_values(knows, metric="unlearning_depth").iloc[1:]
    rows = faithfulness_rows(pools_of(pd.concat([pool_values(knows), other])))
    assert set(rows["metric"]) == {"probability"}


def test_negative_controls_compare_equals():
    """A metric that depends only on learning rate and training length cannot separate halves with
    the same mix of both; one that depends on which people a model read about separates strangers
    from nothing.
    """
    by_length = control_rows(pools_of(pool_values(lambda telling, rate, epochs: epochs)))
    assert set(by_length["control"]) == {
        "oracle against oracle",
        "target against target",
        "strangers against nothing",
    }
    assert (by_length["auc"] == 0.5).all()
    read = control_rows(pools_of(pool_values(lambda telling, *_: float(telling == "others"))))
    found = read[read["group"] == "texts"].set_index("control")["auc"]
    assert found["strangers against nothing"] == 1
    assert found["oracle against oracle"] == 0.5


def board(rows):
    """Values from rows of (method, id, model, after relearning, after quantization)."""
    stages = ["model", "relearn_disjoint", "quantize_int4_g64"]
    return pd.DataFrame(
        {"id": name, "track": "toy", "variant": "frequency/low", "method": method, "stage": stage}
        | {"metric": "probability", "stratum": "all", "value": value}
        for method, name, *values in rows
        for stage, value in zip(stages, values, strict=True)
    )


def test_useful_rows_are_methods_trials_that_keep_their_utility():
    def trial(name, anchor=False, **axes):
        about = {"id": name, "method": SimpleNamespace(anchor=anchor)}
        return SimpleNamespace(**about, trial=SimpleNamespace(axes=axes))

    published = SimpleNamespace(id="p", method=SimpleNamespace(anchor=False), trial=None)
    records = [trial("kept", utility=0.8), trial("broken", utility=0.79), trial("unknown")]
    records += [trial("anchor", anchor=True, utility=1.0), trial("nan", utility=float("nan"))]
    assert useful_rows([*records, published]) == {"kept"}


BARS = pd.DataFrame([{"group": "questions", "metric": "probability", "threshold": 0.5}])


def test_robustness_by_hand():
    """The one useful row that passes rises by .4 under relearning, where the oracle rises by .1,
    and from .2 to .4 under quantization.
    """
    values = board(
        [
            ("oracle", "o", 0.1, 0.2, 0.1),
            ("good", "g", 0.2, 0.6, 0.4),
            ("broken", "b", 0.0, 0.9, 0.9),
            ("none", "n", 0.9, 0.9, 0.9),
        ]
    )
    [row] = robustness_rows(values, {"g", "n"}, BARS).to_dict("records")
    assert row["rows"] == 1
    relearned, quantized = 0.1 / 0.4, 0.2 / 0.4
    assert row["one_sided"] == pytest.approx(2 / (1 / relearned + 1 / quantized))
    relearned, quantized = 1 - 0.3 / 0.5, 1 - 0.2 / 0.6
    assert row["symmetric"] == pytest.approx(2 / (1 / relearned + 1 / quantized), abs=1e-4)
    assert robustness_rows(values, {"n"}, BARS).empty, "it does not pass"
    alone = values[values["stage"] != "relearn_disjoint"]
    assert robustness_rows(alone, {"g"}, BARS).empty


def test_an_oracle_is_audited_by_the_threshold_of_all_other_models():
    """One of eight oracles has a value in the range of models that know: it would have moved the
    threshold of an audit that included it.
    """

    def value_of(telling, rate, epochs):
        odd = telling == "nothing" and (rate, epochs) == (RATES[0], LENGTHS[0])
        return 0.5 if odd else knows(telling, rate, epochs)

    pools = pools_of(pool_values(value_of))
    rows = audit_rows(pools, faithfulness_rows(pools)).set_index("group")
    assert rows.loc["texts", "oracles"] == 8
    assert rows.loc["texts", "passed"] == 1, (
        "halfway between the pools is no more than the threshold"
    )
    worse = pools_of(pool_values(lambda *m: 0.6 if value_of(*m) == 0.5 else value_of(*m)))
    rows = audit_rows(worse, faithfulness_rows(worse)).set_index("group")
    assert rows.loc["texts", "passed"] == 7 / 8


def test_an_anchor_is_caught_where_the_threshold_takes_it_for_one_that_knows():
    def gamed(method, variant, value, stage="model"):
        rows = board([(method, method, value, 0, 0)])
        return rows[rows["stage"] == "model"].assign(variant=variant, stage=stage)

    values = pd.concat(
        [
            gamed("exact_refusal", "frequency/low", 0.9),
            gamed("exact_refusal", "frequency/high", 0.4),
            gamed("exact_refusal", "memorized", 0.9),
            gamed("broken_generation", "frequency/low", 0.5),
            gamed("refuse_all", "frequency/low", 0.9),
            gamed("exact_refusal", "frequency/low", 0.1, "prefix"),
        ]
    )
    rows = caught_rows(values, BARS).set_index("anchor")
    assert rows["caught"].to_dict() == {"exact_refusal": 0.5, "broken_generation": 0}
    assert rows["variants"].to_dict() == {"exact_refusal": 2, "broken_generation": 1}
