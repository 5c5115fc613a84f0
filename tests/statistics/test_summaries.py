"""TOFU's own measures in the standings: as defined, over seeds, and only where answers are
sentences.
"""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import energy_distance, hmean, ks_2samp

from benchmark.metrics import METRICS
from benchmark.metrics.distribution import MODEL_UTILITY
from benchmark.statistics.summaries import TOFU, summary_rows

PLACE = ("track", "task", "variant")
COUNT = 12
ROWS = ("target", "oracle", "npo")


def frame(known, seed, form="sentence"):
    """A model that knows its forget set at about this level, with utility components of 0.4 to 0.8
    of `known`.
    """
    rng = np.random.default_rng(seed)
    parts = []
    for split in ("forget", "retain", "neighbors", "general"):
        rows = {
            "stage": "model",
            "split": split,
            "example": [f"{split}{i}" for i in range(COUNT)],
            "entity": [f"{split}{i}" for i in range(COUNT)],
            "form": form,
            "features": "whole",
            "strata": json.dumps({}),
        }
        for number, (metric, own) in enumerate(MODEL_UTILITY):
            if own == split:
                rows[metric] = known * (0.4 + 0.05 * number)
        if split == "forget":
            rows["truth_ratio_cw"] = np.clip(known + 0.2 * rng.standard_normal(COUNT), 0, 1)
            rows["truth_ratio"] = rows["truth_ratio_cw"]
            rows["margin"] = 10 * known + rng.standard_normal(COUNT)
        parts.append(pd.DataFrame(rows))
    names = ["stage", "split", "example", "entity", "form", "features", "strata", *METRICS]
    return pd.concat(parts, ignore_index=True).reindex(columns=names)


@pytest.fixture
def board():
    frames = {
        "t": frame(0.9, 0),
        "o1": frame(0.3, 1),
        "o2": frame(0.35, 2),
        "m0": frame(0.5, 3),
        "m1": frame(0.7, 4),
    }
    roles = {"t": "target", "o1": "oracle", "o2": "oracle", "m0": "method", "m1": "method"}
    rows = [
        {"id": i, "role": role, "method": "npo" if role == "method" else role}
        for i, role in roles.items()
    ]
    return pd.DataFrame(rows), frames


def truth(frames, name):
    own = frames[name]
    return own.loc[own["split"] == "forget", "truth_ratio_cw"].to_numpy(dtype=float)


def told(board):
    rows = pd.DataFrame(summary_rows(PLACE, *board, ROWS))
    return rows.set_index(["method", "quantity"])


def test_model_utility_is_the_harmonic_mean_of_the_nine_components(board):
    rows = told(board)
    parts = [hmean(known * (0.4 + 0.05 * np.arange(9))) for known in (0.5, 0.7)]
    own = rows.loc[("npo", "model_utility")]
    assert own["value"] == pytest.approx(np.mean(parts))
    assert (own["low"], own["high"]) == pytest.approx((min(parts), max(parts)))
    assert rows.loc[("target", "model_utility"), "value"] == pytest.approx(
        hmean(0.9 * (0.4 + 0.05 * np.arange(9)))
    )


def test_forget_quality_compares_with_all_oracles_and_an_oracle_with_the_others(board):
    _, frames = board
    rows = told(board)
    first = [ks_2samp(truth(frames, "m0"), truth(frames, o)).pvalue for o in ("o1", "o2")]
    second = [ks_2samp(truth(frames, "m1"), truth(frames, o)).pvalue for o in ("o1", "o2")]
    own = rows.loc[("npo", "forget_quality")]
    assert own["value"] == pytest.approx(np.mean([*first, *second]))
    assert sorted((own["low"], own["high"])) == pytest.approx(
        sorted((np.mean(first), np.mean(second)))
    )
    among = ks_2samp(truth(frames, "o1"), truth(frames, "o2"))
    assert rows.loc[("oracle", "forget_quality"), "value"] == pytest.approx(among.pvalue)
    assert rows.loc[("oracle", "forget_quality_ks"), "value"] == pytest.approx(among.statistic)


def test_answers_that_are_names_have_none(board):
    index, _ = board
    names = {i: frame(0.5, number, form="name") for number, i in enumerate(index["id"])}
    rows = list(summary_rows(PLACE, index, names, ROWS))
    assert {row["quantity"] for row in rows}.isdisjoint(TOFU)
    assert {row["quantity"] for row in rows} == {"margin_kl", "klom", "klom_p95", "klom_energy"}


def test_without_a_component_there_is_no_model_utility(board):
    index, frames = board
    few = {i: own[own["split"] != "general"] for i, own in frames.items()}
    rows = list(summary_rows(PLACE, index, few, ROWS))
    assert {row["quantity"] for row in rows} & set(TOFU) == {"forget_quality", "forget_quality_ks"}


def test_divergences_compare_all_runs_at_once_with_all_oracles(board):
    """An oracle is compared with the others; the spread covers all runs and all but one of them."""
    rows = told(board)
    margins = {
        name: own.loc[own["split"] == "forget", "margin"].to_numpy(dtype=float)
        for name, own in board[1].items()
    }

    def apart(models, oracles):
        return np.mean(
            [
                energy_distance([margins[m][i] for m in models], [margins[o][i] for o in oracles])
                for i in range(COUNT)
            ]
        )

    own = rows.loc[("npo", "klom_energy")]
    assert own["value"] == pytest.approx(apart(["m0", "m1"], ["o1", "o2"]))
    found = [apart(models, ["o1", "o2"]) for models in (["m0", "m1"], ["m0"], ["m1"])]
    assert (own["low"], own["high"]) == pytest.approx((min(found), max(found)))
    assert all(row["low"] <= row["value"] <= row["high"] for row in rows.to_dict("records"))
    among = rows.loc[("oracle", "klom_energy"), "value"]
    assert among == pytest.approx((apart(["o1"], ["o2"]) + apart(["o2"], ["o1"])) / 2)
    assert rows.loc[("target", "klom_energy"), "value"] > own["value"] > among
