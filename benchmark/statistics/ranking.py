"""Standings: every variant scored with its bootstrap, then averaged over variants and ranked with ties."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmark.metrics.base import MEMBERSHIP_HOLDOUT, METRICS
from benchmark.metrics.values import MODEL_STAGE, aggregate, applies, strata_masks
from benchmark.statistics.bootstrap import (
    REPLICATES,
    SEED,
    entity_weights,
    interval,
    mean_of_picks,
    picks,
)
from benchmark.statistics.scores import AXES, Key, Replicated, Scored, score_run, usable_keys

# The columns of `Standings.table`, in order.
COLUMNS = (
    "track", "task", "variant", "method", "seed", "axis", "metric", "stratum", "value", "target", "oracle", "recovery", "n",
)  # fmt: skip
QUANTITIES = (*AXES, "score")


@dataclass(frozen=True)
class Standings:
    """`table`: one row per value (COLUMNS). `variants`: a row per method and variant with intervals.

    `overall`: a row per method, averaged over variants, with rank and completeness. `uninformative`: what was left
    out by rule. `strata`: values by stratum with intervals over seeds and entities.
    """

    table: pd.DataFrame
    variants: pd.DataFrame
    overall: pd.DataFrame
    uninformative: pd.DataFrame
    strata: pd.DataFrame


def replicate(examples: pd.DataFrame, weights: dict[tuple[str, str], np.ndarray]) -> dict[Key, np.ndarray]:
    """Every metric of one model's example frame under the drawn weights, by stage, split, metric and stratum."""
    found: dict[Key, np.ndarray] = {}
    for (stage, split), part in examples.groupby(["stage", "split"], sort=True):
        own = _weights_of(part, weights)
        holdout_rows = examples[(examples["stage"] == stage) & (examples["split"] == MEMBERSHIP_HOLDOUT)]
        holdout_weights = _weights_of(holdout_rows, weights)
        masks = strata_masks(part)
        for metric in METRICS.values():
            if split not in metric.splits or not applies(metric, str(stage), str(split)):
                continue
            column = part[metric.id].to_numpy(dtype=float)
            holdout = holdout_rows[metric.id].to_numpy(dtype=float)
            for stratum, mask in masks.items():
                key = (str(stage), str(split), metric.id, stratum)
                found[key] = aggregate(metric, column[mask], own[:, mask], holdout, holdout_weights)
    return found


def _weights_of(rows: pd.DataFrame, weights: dict[tuple[str, str], np.ndarray]) -> np.ndarray:
    """(B, n) weights of the rows."""
    if rows.empty:
        return np.ones((len(next(iter(weights.values()))), 0))
    return np.column_stack([weights[pair] for pair in zip(rows["split"], rows["entity"], strict=True)])


@dataclass(frozen=True)
class VariantScores:
    """All methods of one variant under shared draws: `rows` maps a method to its quantities, each (B,)."""

    runs: dict[tuple[str, int], tuple[Scored, Replicated]]
    rows: dict[str, dict[str, np.ndarray]]
    target: Replicated
    oracle: Replicated
    usable: set[Key]
    sizes: dict[Key, int]


def _sizes(examples: pd.DataFrame) -> dict[Key, int]:
    """How many examples were scored behind each key."""
    sizes: dict[Key, int] = {}
    for (stage, split), part in examples.groupby(["stage", "split"]):
        for stratum, mask in strata_masks(part).items():
            for metric in METRICS.values():
                sizes[(str(stage), str(split), metric.id, stratum)] = int(part.loc[mask, metric.id].notna().sum())
    return sizes


def score_variant(index: pd.DataFrame, examples: dict[str, pd.DataFrame], replicates: int = REPLICATES) -> VariantScores:
    """Scores one variant; `index` has the rows of its records (id, role, method, seed), `examples` their frames by id."""
    rng = np.random.default_rng(SEED)
    target_id = index.loc[index["role"] == "target", "id"].iloc[0]
    oracle_ids = list(index.loc[index["role"] == "oracle"].sort_values("seed")["id"])
    weights = entity_weights(examples[target_id], replicates, rng)
    target = replicate(examples[target_id], weights)
    oracles = [replicate(examples[i], weights) for i in oracle_ids]
    chosen = picks(len(oracles), replicates, rng)
    usable = usable_keys(target, oracles)
    shared = set.intersection(*(set(o) for o in oracles))
    oracle = {key: mean_of_picks(np.vstack([o[key] for o in oracles]), chosen) for key in shared}
    runs, rows = {}, {}
    methods = index[index["role"] == "method"]
    for method, group in methods.groupby("method", sort=True):
        for record_id, seed in zip(group["id"], group["seed"], strict=True):
            values = replicate(examples[record_id], weights)
            runs[(str(method), int(seed))] = (score_run(values, target, oracle, usable), values)
        own = [runs[(str(method), int(seed))][0] for seed in sorted(group["seed"])]
        drawn = picks(len(own), replicates, np.random.default_rng([SEED, len(own)]))
        quantities = {axis: np.vstack([run.axes[axis] for run in own]) for axis in AXES}
        quantities["score"] = np.vstack([run.score for run in own])
        rows[str(method)] = {name: mean_of_picks(values, drawn) for name, values in quantities.items()}
    return VariantScores(runs, rows, target, oracle, usable, _sizes(examples[target_id]))


def metric_name(key: Key) -> str:
    """How a key's metric is written in tables: `[attack.][split.]metric`, the forget split unnamed."""
    stage, split, metric, _ = key
    prefix = "" if stage == MODEL_STAGE else f"{stage}."
    return prefix + ("" if split == "forget" else f"{split}.") + metric


def axis_name(key: Key) -> str:
    """The axis that a key feeds; forgetting metrics after an attack feed robustness; empty for values beside the score."""
    axis = METRICS[key[2]].axis_of(key[1])
    return "robustness" if axis == "forgetting" and key[0] != MODEL_STAGE else axis


def _table_rows(place: tuple[str, str, str], scores: VariantScores) -> Iterator[tuple]:
    for (method, seed), (scored, values) in sorted(scores.runs.items()):
        for key in sorted(values):
            if key not in scores.target or key not in scores.oracle:
                continue
            part = scored.parts.get(key)
            numbers = (values[key][0], scores.target[key][0], scores.oracle[key][0], np.nan if part is None else part[0])
            size = scores.sizes.get(key, 0)
            yield (*place, method, seed, axis_name(key), metric_name(key), key[3], *map(float, numbers), size)
        for name in QUANTITIES:
            value = scored.score if name == "score" else scored.axes[name]
            nan = float("nan")
            yield (*place, method, seed, name, name, "all", float(value[0]), nan, nan, nan, scores.sizes[_FORGET_KEY])


_FORGET_KEY: Key = (MODEL_STAGE, "forget", "probability", "all")


def _variant_rows(place: tuple[str, str, str], scores: VariantScores) -> Iterator[dict]:
    for method, quantities in scores.rows.items():
        seeds = sorted(seed for name, seed in scores.runs if name == method)
        row = dict(zip(("track", "task", "variant"), place, strict=True)) | {"method": method, "seeds": len(seeds)}
        for name, values in quantities.items():
            low, high = interval(values)
            row |= {name: float(values[0]), f"{name}_low": low, f"{name}_high": high}
        row["worst_attack"] = scores.runs[(method, seeds[0])][0].worst_attack
        yield row


def _stratum_rows(place: tuple[str, str, str], scores: VariantScores) -> Iterator[dict]:
    """Values by stratum averaged over seeds, for methods, target and oracles, on the forget and retain splits."""
    replicates = len(next(iter(scores.target.values()))) - 1
    named: dict[str, list[Replicated]] = {"target": [scores.target], "oracle": [scores.oracle]}
    for (method, _), (_, values) in sorted(scores.runs.items()):
        named.setdefault(method, []).append(values)
    for method, runs in named.items():
        drawn = picks(len(runs), replicates, np.random.default_rng([SEED, len(runs)]))
        for key in (k for k in sorted(runs[0]) if k[0] == MODEL_STAGE):
            values = mean_of_picks(np.vstack([run[key] for run in runs]), drawn)
            low, high = interval(values)
            yield dict(zip(("track", "task", "variant"), place, strict=True)) | {
                "method": method,
                "metric": metric_name(key),
                "stratum": key[3],
                "value": float(values[0]),
                "low": low,
                "high": high,
                "seeds": len(runs),
                "n": scores.sizes.get(key, 0),
            }


def _uninformative_rows(place: tuple[str, str, str], scores: VariantScores) -> Iterator[dict]:
    for key in sorted(set(scores.target) - scores.usable):
        if key[3] == "all" and axis_name(key):
            numbers = {"target": float(scores.target[key][0]), "oracle": float(scores.oracle[key][0])}
            where = dict(zip(("track", "task", "variant"), place, strict=True))
            yield where | {"axis": axis_name(key), "metric": metric_name(key)} | numbers


def _overall(all_scores: dict[tuple[str, str, str], VariantScores], expected: dict[str, int], anchors: set[str]) -> pd.DataFrame:
    """Averages over a track's variants, intervals, ranks tied where the interval of the paired difference holds 0."""
    rows = []
    for track in sorted({place[0] for place in all_scores}):
        own = {place: scores for place, scores in all_scores.items() if place[0] == track}
        means: dict[str, np.ndarray] = {}
        start = len(rows)
        for method in sorted({m for scores in own.values() for m in scores.rows}):
            present = [scores.rows[method] for scores in own.values() if method in scores.rows]
            row = {"track": track, "method": method, "anchor": method in anchors, "variants": len(present)}
            runs = sum(1 for scores in own.values() for name, _ in scores.runs if name == method)
            row |= {"runs": runs, "complete": len(present) == len(own) and runs >= expected.get(method, 0)}
            for name in QUANTITIES:
                values = np.mean([quantities[name] for quantities in present], axis=0)
                low, high = interval(values)
                row |= {name: float(values[0]), f"{name}_low": low, f"{name}_high": high}
                if name == "score":
                    means[method] = values
            rows.append(row)
        ranked = [r for r in rows[start:] if r["complete"] and not r["anchor"] and not np.isnan(r["score"])]
        for row in rows[start:]:
            row["rank"] = _rank(row["method"], [r["method"] for r in ranked], means) if row in ranked else None
    table = pd.DataFrame(rows)
    return table.sort_values(["track", "score"], ascending=[True, False]).reset_index(drop=True) if len(table) else table


def _rank(method: str, ranked: list[str], scores: dict[str, np.ndarray]) -> int:
    """1 + the number of methods that are better for certain: the interval of their paired difference lies above 0."""
    return 1 + sum(interval(scores[other] - scores[method])[0] > 0 for other in ranked if other != method)


def standings(
    index: pd.DataFrame,
    examples: dict[str, pd.DataFrame],
    expected: dict[str, int] | None = None,
    replicates: int = REPLICATES,
) -> Standings:
    """Scores everything: `index` has a row per successful record, `examples` its example frame by id.

    `index` columns: id, role ("target", "oracle", "method"), track, task, variant, method, seed, anchor.
    `expected`: how many runs a method needs on the track to be ranked.
    """
    all_scores: dict[tuple[str, str, str], VariantScores] = {}
    for place, group in index.groupby(["track", "task", "variant"], sort=True):
        roles = set(group["role"])
        if {"target", "oracle"} <= roles:
            all_scores[tuple(map(str, place))] = score_variant(group, examples, replicates)  # type: ignore[index, arg-type]
    anchors = set(index.loc[index["anchor"], "method"])

    def frame(rows) -> pd.DataFrame:
        return pd.DataFrame([row for place, scores in all_scores.items() for row in rows(place, scores)])

    table = pd.DataFrame(
        [row for place, scores in all_scores.items() for row in _table_rows(place, scores)], columns=list(COLUMNS)
    )
    overall = _overall(all_scores, expected or {}, anchors)
    return Standings(table, frame(_variant_rows), overall, frame(_uninformative_rows), frame(_stratum_rows))
