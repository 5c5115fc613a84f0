"""Meta-evaluation: what the pools, the published rows and the gaming anchors show about each
metric.

A metric is one number per model: its value on the forget set, or on a stratum of it. After an
attack it counts as a separate metric, named `attack: metric`, unless only that attack measures it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmark.core.telling_ids import FACTS, KNOWS, LATER, NOTHING, OTHERS
from benchmark.metrics.frames import ALL
from benchmark.metrics.stages import ATTACK, MEASURING, MODEL_STAGE, sort_of
from benchmark.records.schema import Record
from benchmark.statistics.axes import LEAST_GAP
from benchmark.statistics.faithfulness import (
    LOWER_IF_KNOWN,
    QUALITY,
    Attacked,
    Faithfulness,
    best_threshold,
    faithfulness,
    oriented,
    robustness,
)

POOL = "pool"  # the method whose models form the pools
BOARD = "controlled-1m"  # the scored track whose rows show how far metrics agree
GAMING = ("margin_shift", "exact_refusal", "broken_generation")  # anchors that know and hide it
LEAST_HALF = 4  # models: two random halves of this size are separated once in 35 times
LEAST_UTILITY = 0.8  # of the target's: rows below it do not count for robustness
ATTACKS = {"relearning": "relearn_disjoint", "quantization": "quantize_int4"}
Row = dict[str, object]


@dataclass(frozen=True)
class Group:
    """Models that are judged together: those of some variants, on a stratum of their forget set.

    `knowing` are the tellings of the models that a metric should separate from the ignorant ones.
    Membership is about the examples themselves, which only models of FACTS have seen.
    """

    name: str
    variants: tuple[str, ...]
    stratum: str = ALL
    knowing: frozenset[str] = KNOWS


QUESTIONS, TEXTS, TOFU = ("frequency/low", "frequency/high"), ("memorized",), ("tofu_small",)
GROUPS = (
    Group("questions", QUESTIONS),
    Group("low frequency", ("frequency/low",)),
    Group("high frequency", ("frequency/high",)),
    Group("texts", TEXTS),
    Group("low memorization", TEXTS, "memorization=low"),
    Group("high memorization", TEXTS, "memorization=high"),
    Group("SmolLM2", TOFU),
    Group("seen questions", QUESTIONS, knowing=frozenset({FACTS})),
    Group("seen texts", TEXTS, knowing=frozenset({FACTS})),
    Group("seen TOFU", TOFU, knowing=frozenset({FACTS})),
)


def values_of(records: Iterable[Record]) -> pd.DataFrame:
    """A row for each value on the forget set that measures knowledge, of a final or attacked model,
    oriented so that larger means more is known; telling, epochs and learning_rate describe models
    of the pools.
    """
    rows = [row for record in records for row in _values(record)]
    columns = ["id", "track", "variant", "method", "seed", "anchor", "telling", "epochs"]
    columns += ["learning_rate", "stage", "metric", "stratum", "value"]
    return pd.DataFrame(rows, columns=columns)


def _values(record: Record) -> Iterator[Row]:
    about: Row = {"id": record.id, "track": record.track, "variant": record.variant}
    about |= {"method": record.method.name, "seed": record.seed, "anchor": record.method.anchor}
    about |= {
        name: record.method.parameters.get(name)
        for name in ("telling", "epochs", "learning_rate")
        if record.method.name == POOL
    }
    for value in record.value_rows():
        of_forget = value.split == "forget" and value.metric not in QUALITY
        if of_forget and sort_of(value.stage) in (MODEL_STAGE, ATTACK):
            known = float(oriented(value.metric, [value.value])[0])
            named = {"stage": value.stage, "metric": value.metric, "stratum": value.stratum}
            yield about | named | {"value": known}


def labelled(values: pd.DataFrame) -> pd.DataFrame:
    """The values with the attack prefixed to the metric, unless only that attack measures it."""
    plain = values["stage"].isin([MODEL_STAGE, *MEASURING])
    names = values["metric"].where(plain, values["stage"] + ": " + values["metric"])
    return values.assign(metric=names)


def pools_of(values: pd.DataFrame) -> pd.DataFrame:
    """The values of the pools, with whether each model knows the forget set; models told later
    count as those told during training.
    """
    pools = labelled(values[values["method"] == POOL])
    pools = pools.assign(telling=pools["telling"].str.removeprefix(LATER))
    return pools.assign(knows=pools["telling"].isin(list(KNOWS)))


def faithfulness_rows(pools: pd.DataFrame) -> pd.DataFrame:
    """A row per group and metric that all models of the group have: auc with low and high,
    threshold, accuracy, the size of each pool, and whether the metric is `informative`: whether
    models told the facts differ enough from models told nothing.
    """
    rows: list[Row] = []
    for group in GROUPS:
        models = _of_group(pools, group)
        for metric, part in models.groupby("metric", sort=True):
            found = _faithfulness(part)
            if found is not None and len(part) == models["id"].nunique():
                counts = part["knows"].value_counts()
                sizes = {"knowing": int(counts.get(True, 0)), "ignorant": int(counts.get(False, 0))}
                about = {"group": group.name, "metric": metric, "informative": _informs(part)}
                rows.append({**about, **vars(found), **sizes})
    columns = ["group", "metric", "informative", "auc", "low", "high", "threshold", "accuracy"]
    return pd.DataFrame(rows, columns=[*columns, "knowing", "ignorant"])


def _informs(part: pd.DataFrame) -> bool:
    """Whether the score would use the metric if these models were its target and oracles."""
    told, nothing = (part.loc[part["telling"] == name, "value"] for name in (FACTS, NOTHING))
    if told.empty or nothing.empty:
        return True
    return bool(abs(told.mean() - nothing.mean()) >= LEAST_GAP)


def _of_group(pools: pd.DataFrame, group: Group) -> pd.DataFrame:
    models = _in_group(pools, group)
    return models[models["telling"].isin(list(group.knowing)) | ~models["knows"]]


def _in_group(values: pd.DataFrame, group: Group) -> pd.DataFrame:
    return values[values["variant"].isin(group.variants) & (values["stratum"] == group.stratum)]


def _faithfulness(part: pd.DataFrame) -> Faithfulness | None:
    """The faithfulness of a metric; None if a pool is empty or a value is missing."""
    knows = part["knows"].to_numpy(dtype=bool)
    values = part["value"].to_numpy(dtype=float)
    if knows.all() or not knows.any() or np.isnan(values).any():
        return None
    return faithfulness(values[knows], values[~knows])


def control_rows(pools: pd.DataFrame) -> pd.DataFrame:
    """Negative controls, for which the AUC should be 1/2: one half of the models with the same
    telling against the other half, and two tellings that leave a model ignorant against each other.

    A row per group, control and metric. The halves alternate along learning rates and epochs;
    halves of fewer than LEAST_HALF models are separated by chance too often and are left out.
    """
    rows: list[Row] = []
    for group in GROUPS:
        for metric, part in _of_group(pools, group).groupby("metric", sort=True):
            for control, known in _controls(part).items():
                found = _faithfulness(part.loc[known.index].assign(knows=known))
                if found is not None:
                    auc = {"auc": found.auc, "low": found.low, "high": found.high}
                    rows.append({"group": group.name, "control": control, "metric": metric, **auc})
    return pd.DataFrame(rows, columns=["group", "control", "metric", "auc", "low", "high"])


def _controls(part: pd.DataFrame) -> dict[str, pd.Series]:
    """For each control, which models stand for those that know."""
    ordered = part.sort_values(["variant", "learning_rate", "epochs"])
    place = ordered.groupby(["variant", "telling"]).cumcount()
    # With two lengths per rate: the short run of one rate, the long run of the next.
    first = pd.Series((place % 4).isin([0, 3]).to_numpy(), ordered.index)
    by_telling = {name: ordered["telling"] == name for name in (FACTS, NOTHING, OTHERS)}
    found = {
        "oracle against oracle": first[by_telling[NOTHING]],
        "target against target": first[by_telling[FACTS]],
    }
    ignorant = by_telling[NOTHING] | by_telling[OTHERS]
    found["strangers against nothing"] = ~by_telling[NOTHING][ignorant]
    return {
        name: known
        for name, known in found.items()
        if min(known.sum(), len(known) - known.sum()) >= LEAST_HALF
    }


def robustness_rows(values: pd.DataFrame, useful: set[str], bars: pd.DataFrame) -> pd.DataFrame:
    """A row per bar whose metric is measured after both attacks: one_sided and symmetric
    robustness, and the number of models behind them (`rows`).

    The models are those of methods on the group's variants that are `useful` and that the metric
    classifies as ignorant by its threshold in `bars` (of `faithfulness_rows`), as in both papers.
    """
    columns = ["group", "metric", "one_sided", "symmetric", "rows"]
    groups = {group.name: group for group in GROUPS}
    rows: list[Row] = []
    for bar in bars.to_dict("records"):
        part = _in_group(values, groups[bar["group"]])
        table = _by_stage(part[part["metric"] == bar["metric"]])
        attacked = _attacked(table, useful, bar["threshold"])
        if attacked:
            # The one-sided formulas divide values of at least 0; an inverted metric has none.
            inverted = bar["metric"] in LOWER_IF_KNOWN
            published = {
                "one_sided": np.nan if inverted else robustness(attacked, symmetric=False),
                "symmetric": robustness(attacked, symmetric=True),
            }
            count = min(len(one.before) for one in attacked.values())
            named = {"group": bar["group"], "metric": bar["metric"]}
            rows.append({**named, **published, "rows": count})
    return pd.DataFrame(rows, columns=columns)


def _by_stage(values: pd.DataFrame) -> pd.DataFrame:
    """A row per record, a column per stage; attacks by their kind, whatever their block size."""
    kinds = {attack: kind for kind, attack in ATTACKS.items()}
    stage = values["stage"].str.replace(r"_g\d+$", "", regex=True).replace(kinds)
    named = values.assign(stage=stage)
    kept = named[named["stage"].isin([MODEL_STAGE, *ATTACKS])]
    index = ["id", "track", "variant", "method"]
    return kept.pivot_table(index=index, columns="stage", values="value").reset_index()


def _attacked(table: pd.DataFrame, useful: set[str], threshold: float) -> dict[str, Attacked]:
    """Values before and after each attack; empty if an attack, the oracles or all models are
    missing.
    """
    if not {MODEL_STAGE, *ATTACKS} <= set(table.columns):
        return {}
    complete = table.dropna(subset=[MODEL_STAGE, *ATTACKS])
    oracles = complete[complete["method"] == "oracle"]
    means = oracles.groupby(["track", "variant"])[[MODEL_STAGE, *ATTACKS]].mean()
    rows = complete[complete["id"].isin(useful) & (complete[MODEL_STAGE] <= threshold)]
    rows = rows.join(means, on=["track", "variant"], rsuffix=" of oracle", how="inner")
    if rows.empty:
        return {}
    before, theirs = rows[MODEL_STAGE], rows[f"{MODEL_STAGE} of oracle"]
    return {
        kind: Attacked(
            before.to_numpy(),
            rows[kind].to_numpy(),
            theirs.to_numpy(),
            rows[f"{kind} of oracle"].to_numpy(),
        )
        for kind in ATTACKS
    }


def useful_rows(records: Iterable[Record]) -> set[str]:
    """Ids of the methods' trials whose utility is at least LEAST_UTILITY."""
    return {
        record.id
        for record in records
        if record.trial
        and not record.method.anchor
        and record.trial.axes.get("utility", 0) >= LEAST_UTILITY
    }


def audit_rows(pools: pd.DataFrame, bars: pd.DataFrame) -> pd.DataFrame:
    """A row per bar: the share of the group's oracles that pass an audit whose threshold a user
    sets on all other models of the group.
    """
    groups = {group.name: group for group in GROUPS}
    rows: list[Row] = []
    for bar in bars.to_dict("records"):
        models = _of_group(pools, groups[bar["group"]])
        part = models[models["metric"] == bar["metric"]]
        values, knows = part["value"].to_numpy(dtype=float), part["knows"].to_numpy(dtype=bool)
        oracles = np.flatnonzero(part["telling"] == NOTHING)
        if len(oracles):
            passed = np.mean([_passes(oracle, values, knows) for oracle in oracles])
            named = {"group": bar["group"], "metric": bar["metric"]}
            rows.append({**named, "passed": float(passed), "oracles": len(oracles)})
    return pd.DataFrame(rows, columns=["group", "metric", "passed", "oracles"])


def _passes(model: int, values: np.ndarray, knows: np.ndarray) -> bool:
    others = np.arange(len(values)) != model
    threshold, _ = best_threshold(values[others & knows], values[others & ~knows])
    return bool(values[model] <= threshold)


def caught_rows(values: pd.DataFrame, bars: pd.DataFrame) -> pd.DataFrame:
    """A row per group of bars, metric and gaming anchor that was run beside the pools: the share of
    the group's variants on which the metric's threshold classifies the anchor as a model that
    knows.
    """
    named = labelled(values[values["method"].isin(GAMING)])
    rows: list[Row] = []
    groups = {group.name: group for group in GROUPS}
    for bar in bars.to_dict("records"):
        part = _in_group(named, groups[bar["group"]])
        of_metric = part[part["metric"] == bar["metric"]]
        for anchor, found in of_metric.groupby("method")["value"]:
            caught = float((found > bar["threshold"]).mean())
            place = {"group": bar["group"], "metric": bar["metric"], "anchor": anchor}
            rows.append({**place, "caught": caught, "variants": len(found)})
    return pd.DataFrame(rows, columns=["group", "metric", "anchor", "caught", "variants"])
