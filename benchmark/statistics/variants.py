"""Scores of one variant: all methods share bootstrap draws of entities and oracles, and each has
draws of its own seeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from statistics import fmean
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmark.errors import BadInput
from benchmark.metrics.base import MEMBERSHIP_HOLDOUT, METRICS
from benchmark.metrics.frames import parts_of, relative_to, reported, strata_masks
from benchmark.metrics.stages import ATTACK, MODEL_STAGE, sort_of
from benchmark.records.identity import ORACLE, TARGET
from benchmark.statistics.axes import AXES, is_barred
from benchmark.statistics.bootstrap import (
    SEED,
    EntityWeights,
    draws_of,
    entity_weights,
    mean_of_picks,
    picks,
)
from benchmark.statistics.scores import (
    Key,
    Replicated,
    Scored,
    asks_enough,
    axis_keys,
    reason_against,
    score_run,
)

QUANTITIES = (*AXES, "score")
# Reasons to leave out a metric whose values do differ.
NOT_FOR_FORM = "fails the rule for answers of this form"
ASKS_LITTLE = "asks less than a third of the forget set"
ABOUT = ["stage", "split", "entity", "form", "features", "strata"]  # columns about an example


@dataclass(frozen=True)
class Run:
    """One method with one seed: its values, those of the target from which it started, its scores,
    and the mean of the drawn oracles as compared with that target.
    """

    values: Replicated
    target: Replicated
    scored: Scored
    sizes: Mapping[Key, int]
    oracle: Replicated = field(default_factory=dict)


class Reason(NamedTuple):
    """Why a key is uninformative, and the record of the first target for which this holds."""

    text: str
    target: str


@dataclass(frozen=True)
class VariantScores:
    """All runs of one variant, by method and seed, with their references.

    `targets`: the values of the targets from which runs started, by record. `oracle`: the mean of
    the drawn oracles, whose union counts the probes that the first target passes; `beside`: the
    same mean by target. `usable`: the keys that are informative here; `reasons`: why the others are
    not. `sizes`: the number of examples behind each key. `spread`: how much the oracles differ.
    `weights`: the draws of entities that all methods share. `oracle_ids`: the records of the
    oracles. `budget_steps`: the number of steps per request.
    """

    runs: Mapping[str, Mapping[int, Run]]
    targets: Mapping[str, Replicated]
    oracle: Replicated
    usable: set[Key]
    sizes: Mapping[Key, int]
    replicates: int
    budget_steps: int = 1
    weights: EntityWeights = field(default_factory=dict)
    spread: Mapping[Key, float] = field(default_factory=dict)
    reasons: Mapping[Key, Reason] = field(default_factory=dict)
    oracle_ids: Sequence[str] = ()
    beside: Mapping[str, Replicated] = field(default_factory=dict)

    @cached_property
    def target(self) -> Replicated:
        """The mean of the targets, for the keys that all of them have."""
        first, *others = self.targets.values()
        return {
            key: np.mean([values, *(other[key] for other in others)], axis=0)
            for key, values in first.items()
            if all(key in other for other in others)
        }

    def values_of(self, name: str) -> list[Replicated]:
        """The values of a method's runs or the targets, by seed, or those of the drawn oracles."""
        if name == ORACLE:
            return [self.oracle]
        if name == TARGET:
            return list(self.targets.values())
        return [run.values for run in self.runs[name].values()]

    def targets_of(self, name: str) -> list[Replicated]:
        """The target with which each of `values_of` is compared; for the oracles, the targets'
        mean.
        """
        if name == ORACLE:
            return [self.target]
        if name == TARGET:
            return self.values_of(TARGET)
        return [run.target for run in self.runs[name].values()]

    def quantity(self, method: str, name: str) -> np.ndarray:
        """An axis or the score of a method, averaged over its drawn seeds: (replicates + 1,)."""
        values = [
            run.scored.score if name == "score" else run.scored.axes[name]
            for run in self.runs[method].values()
        ]
        return mean_of_picks(np.vstack(values), seed_picks(len(values), self.replicates))

    def informs(self, name: str) -> bool:
        """Whether an axis has informative metrics here; always True for the score."""
        attacked = [key for key in self.usable if sort_of(key[0]) == ATTACK]
        if name == "robustness":
            return any(axis_keys([key], "forgetting", key[0]) for key in attacked)
        return name == "score" or bool(axis_keys(list(self.usable), name, MODEL_STAGE))

    def left_after(self, method: str) -> dict[str, float]:
        """The forgetting left after each attack, averaged over seeds."""
        runs = [run.scored.attacks for run in self.runs[method].values()]
        return {name: fmean(float(attacks[name][0]) for attacks in runs) for name in runs[0]}


def seed_picks(seeds: int, replicates: int) -> np.ndarray:
    """Draws of seeds, the same for all methods with this number of seeds."""
    return picks(seeds, replicates, np.random.default_rng([SEED, seeds]))


def replicate(
    examples: pd.DataFrame, weights: EntityWeights
) -> tuple[dict[Key, np.ndarray], dict[Key, int]]:
    """Every metric of one model's example frame under the drawn weights, by stage, split, metric
    and stratum, and the number of scored examples.
    """
    replicated: dict[Key, np.ndarray] = {}
    sizes: dict[Key, int] = {}
    about = examples[ABOUT].reset_index(drop=True)
    parts = parts_of(about)  # without the dozens of metric columns
    table = examples[list(METRICS)].to_numpy(dtype=float).T
    column = {name: i for i, name in enumerate(METRICS)}
    scores = {place: table[:, part.index] for place, part in parts.items()}
    drawn = {place: draws_of(part, weights) for place, part in parts.items()}
    nothing, undrawn = about.iloc[:0], draws_of(about.iloc[:0], weights)
    for (stage, split), part in parts.items():
        compared = (stage, MEMBERSHIP_HOLDOUT)
        holdout, never_seen = parts.get(compared, nothing), drawn.get(compared, undrawn)
        masks = strata_masks(part, stage)
        stacked = np.vstack(list(masks.values()))
        whole = parts.get((MODEL_STAGE, split), part)
        for metric in reported(whole, part, stage, split, holdout):
            values = scores[stage, split][column[metric.id]]
            if metric.united and np.isnan(values).all():
                continue  # only the direct question was asked
            holdout_values = scores[compared][column[metric.id]] if len(holdout) else np.zeros(0)
            by_stratum = metric.aggregate.by_stratum(
                values, drawn[stage, split], stacked, holdout_values, never_seen
            )
            for stratum, row in zip(masks, by_stratum, strict=True):
                replicated[stage, split, metric.id, stratum] = row
        counts = stacked.astype(float) @ ~np.isnan(scores[stage, split].T)
        for stratum, stratum_counts in zip(masks, counts.astype(int).tolist(), strict=True):
            for name, count in zip(METRICS, stratum_counts, strict=True):
                sizes[stage, split, name, stratum] = count
    return replicated, sizes


def references_of(
    index: pd.DataFrame, examples: Mapping[str, pd.DataFrame], replicates: int
) -> VariantScores:
    """The references of a variant, without any method's runs: `index` has a row per record (see
    `standings`), `examples` their frames by id. BadInput if two targets have the same seed.
    """
    rng = np.random.default_rng(SEED)
    target_ids, oracle_ids = (ids_of(index, role) for role in (TARGET, ORACLE))
    if index.loc[index["role"] == TARGET, "seed"].duplicated().any():
        raise BadInput(f"two targets of one variant and seed among {' and '.join(target_ids)}")
    first = examples[target_ids[0]]
    weights = entity_weights(first, replicates, rng)
    told = {i: replicate(_related(i, i, oracle_ids, examples), weights) for i in target_ids}
    targets = {i: values for i, (values, _) in told.items()}
    oracles = {
        of: [replicate(_related(i, of, oracle_ids, examples), weights)[0] for i in oracle_ids]
        for of in target_ids
    }
    drawn = picks(len(oracle_ids), replicates, rng)
    asked = first["split"].eq("forget") & first["stage"].eq(MODEL_STAGE)
    [form, *others] = first.loc[asked, "form"].unique() if asked.any() else [""]
    sizes = told[target_ids[0]][1]
    common = set.intersection(*(set(targets[of]) for of in target_ids))

    def reason(key: Key) -> Reason | None:
        for of in target_ids:
            if found := reason_against(key, targets[of], oracles[of]):
                return Reason(found, of)
        if not others and is_barred(key[2], key[1], form):
            return Reason(NOT_FOR_FORM, target_ids[0])
        return None if asks_enough(key, sizes) else Reason(ASKS_LITTLE, target_ids[0])

    reasons = {key: found for key in common if (found := reason(key))}
    beside = {of: _mean_of(oracles[of], drawn) for of in target_ids}
    first_beside = oracles[target_ids[0]]
    return VariantScores(
        runs={},
        weights=weights,
        targets=targets,
        oracle=beside[target_ids[0]],
        beside=beside,
        usable=common - reasons.keys(),
        reasons=reasons,
        sizes=sizes,
        spread={
            key: float(np.ptp([values[key][0] for values in first_beside]))
            for key in beside[target_ids[0]]
        },
        replicates=replicates,
        oracle_ids=oracle_ids,
        budget_steps=int(index["budget_steps"].iloc[0]),
    )


def _mean_of(oracles: Sequence[Replicated], drawn: np.ndarray) -> Replicated:
    """The mean of the drawn oracles, for the keys that all of them have."""
    common = [key for key in oracles[0] if all(key in other for other in oracles)]
    return {key: mean_of_picks(np.vstack([o[key] for o in oracles]), drawn) for key in common}


def _related(
    record: str, target: str, oracles: Sequence[str], examples: Mapping[str, pd.DataFrame]
) -> pd.DataFrame:
    """A record's frame relative to target and oracles; an oracle is compared with the others."""
    others = [examples[i] for i in oracles if i != record]
    return relative_to(others, examples[record], examples[target])


def ids_of(index: pd.DataFrame, role: str) -> list[str]:
    """The records of a role, ordered by method and seed."""
    return list(index[index["role"] == role].sort_values(["method", "seed"])["id"])


def with_runs(
    references: VariantScores, rows: pd.DataFrame, examples: Mapping[str, pd.DataFrame]
) -> VariantScores:
    """The same variant with the runs of some methods: `rows` are their rows of the index. BadInput
    if a method has two records with the same seed.
    """
    runs: dict[str, dict[int, Run]] = {}
    for row in rows.sort_values(["method", "seed"]).to_dict("records"):
        by_seed = runs.setdefault(str(row["method"]), {})
        if int(row["seed"]) in by_seed:
            raise BadInput(
                f"two records of {row['method']} with seed {row['seed']}, one is {row['id']}"
            )
        frame = _related(row["id"], row["target"], references.oracle_ids, examples)
        values, sizes = replicate(frame, references.weights)
        target, oracle = references.targets[row["target"]], references.beside[row["target"]]
        scored = score_run(values, target, oracle, references.usable)
        by_seed[int(row["seed"])] = Run(values, target, scored, sizes, oracle)
    return replace(references, runs=runs)


def score_variant(
    index: pd.DataFrame, examples: Mapping[str, pd.DataFrame], replicates: int
) -> VariantScores:
    """Scores all methods of one variant (see `references_of`)."""
    methods = index[index["role"] == "method"]
    return with_runs(references_of(index, examples, replicates), methods, examples)
