"""The union over probes: what the question itself or any prompt-based attack still elicits.

A probe counts for an example only if the target passes it: no method has to forget what the target
cannot answer when asked that way. Probes that reveal part of the answer do not count. An example is
known if any of its probes elicits the answer. More examples are known by any probe than by the best
single probe, even for oracles, which guess, so a model is compared with the oracles' union.
"""

from __future__ import annotations

from typing import NoReturn

import numpy as np
import pandas as pd

from benchmark.core.probe_ids import PROBE, probed
from benchmark.metrics.base import Metric, register
from benchmark.metrics.sample import SAMPLES, Sample
from benchmark.metrics.stages import MODEL_STAGE

UNION = "union_of_probes"
DIRECT = "direct"  # the training prompt
FORM = "name"  # answers that are given or not; a sentence can be given in part
HINTING = frozenset({"prefix"})  # reveals the answer's beginning, from which one can guess the rest
KNOWN = 0.5  # for sampled answers: more likely than not to contain the answer
# Metrics that decide whether a sample is known, first available one: leak_at_k by decreasing k.
TOLD = [*(f"leak_at_{k}" for k in sorted(SAMPLES, reverse=True)), "exact_answer"]


def known_by_probe(frame: pd.DataFrame) -> pd.DataFrame:
    """(examples, probes) table of 0 and 1, by example id: whether a model knows each forget
    example; NaN where a probe does not ask for it or failed. Of several wordings of a probe, one
    suffices.
    """
    rows = frame[(frame["split"] == "forget") & (frame["form"] == FORM)]
    asked = rows[rows["example"].str.contains(PROBE, regex=False)]
    direct = rows[rows["stage"] == MODEL_STAGE].set_index("example")["exact_answer_trained"]
    values = direct.astype(float).to_frame(DIRECT)
    if len(asked):
        told = asked[TOLD].astype(float).bfill(axis=1).iloc[:, 0]
        by_probe = told.groupby([asked["example"].map(probed), asked["stage"]]).max().unstack()
        values = values.join(by_probe)
    return (values >= KNOWN).astype(float).where(values.notna())


def counted(by_probe: pd.DataFrame) -> pd.DataFrame:
    """The columns of the probes that count for the union."""
    return by_probe.drop(columns=HINTING & set(by_probe))


def known_by_any(known: pd.DataFrame, passed: pd.DataFrame) -> np.ndarray:
    """(n,) 1 where any probe that the target passed elicits the answer, 0 where none does, NaN
    where none does and one failed.
    """
    counted = known.reindex(index=passed.index, columns=passed.columns).where(passed)
    told, failed = (counted == 1).any(axis=1), (passed & counted.isna()).any(axis=1)
    return np.where(told, 1.0, np.where(failed, np.nan, 0.0))


def union_of(frame: pd.DataFrame, target: pd.DataFrame) -> pd.Series:
    """`known_by_any` by example id; empty if the target has only the direct question, or a probe
    that the model lacks.
    """
    passed, known = counted(known_by_probe(target) == 1), known_by_probe(frame)
    if len(passed.columns) < 2 or not set(passed.columns) <= set(known.columns):
        return pd.Series(dtype=float)
    return pd.Series(known_by_any(known, passed), passed.index)


def _of_no_sample(sample: Sample) -> NoReturn:
    raise ValueError("a sample is one probe; the union is of all of an example's")


register(
    Metric(
        UNION,
        1,
        _of_no_sample,
        ("forget",),
        "oracle",
        "share",
        "K-Bench 2026 (any channel); JensUn 2025 (worst case over probes)",
        "answered correctly when asked directly or by any probe that the target passes",
        forms=frozenset({FORM}),
        united=True,
    )
)
