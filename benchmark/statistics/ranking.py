"""Standings: scores every variant, averages over variants, and ranks methods with ties."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
import pyarrow as pa

from benchmark.records.derived import Derived, Tables
from benchmark.records.schema import GUARDRAIL, WEIGHTS
from benchmark.statistics.bootstrap import LEVEL, REPLICATES, interval
from benchmark.statistics.parts import Part, variants_of
from benchmark.statistics.tables import COLUMNS, Place, Row, spread, spread_columns
from benchmark.statistics.trajectories import contrast_rows, rival_rows
from benchmark.statistics.variants import QUANTITIES

UNRANKED: Row = dict.fromkeys(("rank", "rank_low", "rank_high"))
PLACE, SPREAD = ("track", "task", "variant"), ("value", "low", "high")
# Tables concatenated from those of methods and references, with their columns when empty.
COMPOSED: Mapping[str, tuple[str, ...]] = {
    "table": COLUMNS,
    "variants": (),
    "strata": (),
    "uninformative": (*PLACE, "axis", "metric", "reason", "target", "oracle", "spread"),
    "trajectories": (*PLACE, "method", "quantity", "share", *SPREAD),
    "levels": (*PLACE, "method", "level", "quantity", *SPREAD),
    "requests": (*PLACE, "method", "request", "quantity", *SPREAD),
    "misalignment": (*PLACE, "method", "stratum", "quantity", *SPREAD, "n"),
    "summaries": (*PLACE, "method", "quantity", *SPREAD),
    "probes": (*PLACE, "method", "quantity", *SPREAD, "n"),
    "attacks": (*PLACE, "method", "attack", "value", *spread_columns("undone")),
    "evaluations": (*PLACE, "method", "evaluation", "value"),
    "curves": (*PLACE, "method", "attack", "point", *SPREAD, *spread_columns("back")),
    "draws": (*PLACE, "method", "quantity", "packed"),
    "texts": (*PLACE, "method", "split", "value"),
}


@dataclass(frozen=True)
class Standings:
    """`table`: a row per value (COLUMNS). `variants`: a row per method and variant with intervals.

    `overall`: a row per track and method, averaged over variants, with completeness, division, its
    rank there and its range of ranks over the draws. `tasks`: the same for each task, where methods
    that a suite runs on one task only are ranked too. `uninformative`: metrics left out by rule.
    `strata`: values by stratum with intervals over seeds and entities. `trajectories`: values at
    shares of the budget; `levels`: their outcomes where a level of forgetting is reached; `rivals`:
    differences of these outcomes from the baseline method; `contrasts`: differences between
    variants. `requests`: values after each of several requests. `misalignment`: agreement between
    probabilities and generations on the same forgotten examples. `summaries`: TOFU's own measures
    and divergences from the oracles, with their range over seeds. `probes`: knowledge found by each
    probe and by any of them. `attacks`: forgetting after each attack. `evaluations`: the score
    under only some attacks. `curves`: knowledge along attacks that have points. `draws`: packed
    draws of each method's axes and score. `texts`: how well each forgotten text, and each text
    unseen by the target, is known.
    """

    table: pd.DataFrame
    variants: pd.DataFrame
    overall: pd.DataFrame
    tasks: pd.DataFrame
    uninformative: pd.DataFrame
    strata: pd.DataFrame
    trajectories: pd.DataFrame
    levels: pd.DataFrame
    rivals: pd.DataFrame
    contrasts: pd.DataFrame
    requests: pd.DataFrame
    misalignment: pd.DataFrame
    summaries: pd.DataFrame
    probes: pd.DataFrame
    attacks: pd.DataFrame
    evaluations: pd.DataFrame
    curves: pd.DataFrame
    draws: pd.DataFrame
    texts: pd.DataFrame


def combined(standings: Sequence[Standings]) -> Standings:
    """Merges the standings of several tracks into one."""
    tables = {
        name: [vars(own)[name] for own in standings if len(vars(own)[name])]
        for name in (field.name for field in fields(Standings))
    }
    return Standings(
        **{
            name: pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
            for name, parts in tables.items()
        }
    )


@dataclass(frozen=True)
class Scored:
    """A variant's part of each method, and the quantities on which the variant is informative."""

    parts: Mapping[str, Part]
    informs: frozenset[str]


def _rank(method: str, competitors: Mapping[str, np.ndarray]) -> int:
    """1 + the number of methods that are significantly better: the interval of their paired
    difference lies above 0.
    """
    replicated = competitors[method]
    others = [scores for other, scores in competitors.items() if other != method]
    return 1 + sum(interval(scores - replicated)[0] > 0 for scores in others)


def rank_spread(scores: Sequence[np.ndarray]) -> list[tuple[int, int]]:
    """The range of ranks by score that each method takes in 95 % of the draws, from (replicates +
    1,) scores.
    """
    drawn = np.vstack(scores)[:, 1:]
    defined = drawn[:, ~np.isnan(drawn).any(axis=0)]
    if not defined.size:
        return [(1, len(scores))] * len(scores)
    ranks = [1 + (defined > own).sum(axis=0) for own in defined]
    ends = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    spreads = [np.quantile(own, ends, method="inverted_cdf") for own in ranks]
    return [(int(low), int(high)) for low, high in spreads]


def _ranks(competitors: Mapping[str, np.ndarray]) -> dict[str, Row]:
    """The rank of each method of a division, with its range of ranks over the draws, widened to
    contain the rank.
    """
    spreads = rank_spread(list(competitors.values())) if competitors else []
    ranks: dict[str, Row] = {}
    for name, (low, high) in zip(competitors, spreads, strict=True):
        rank = _rank(name, competitors)
        ranks[name] = {"rank": rank, "rank_low": min(low, rank), "rank_high": max(high, rank)}
    return ranks


def _overall_row(method: str, scored: Mapping[Place, Scored]) -> tuple[Row, np.ndarray]:
    """A method's averages over the variants that it has, with intervals, and the replicates of its
    score.
    """
    present = [variant for variant in scored.values() if method in variant.parts]
    runs = sum(variant.parts[method].runs for variant in present)
    row: Row = {"variants": len(present), "runs": runs}
    means = {name: _mean(method, name, present) for name in QUANTITIES}
    for name, values in means.items():
        row |= spread(name, values)
    return row, means["score"]


def _mean(method: str, name: str, present: Sequence[Scored]) -> np.ndarray:
    """The average over the variants that are informative about the quantity; NaN if none is."""
    quantities = [scored.parts[method].quantities[name] for scored in present]
    informative = [
        values for values, scored in zip(quantities, present, strict=True) if name in scored.informs
    ]
    return np.mean(informative, axis=0) if informative else np.full_like(quantities[0], np.nan)


def _rows(
    scored: Mapping[Place, Scored],
    expected: Mapping[str, int],
    anchors: set[str],
    guardrails: set[str],
) -> list[Row]:
    """A row per method of these variants; only methods that are complete, have a score and are not
    anchors are ranked, each within its division.
    """
    rows: dict[str, Row] = {}
    competitors: dict[str, dict[str, np.ndarray]] = {WEIGHTS: {}, GUARDRAIL: {}}
    for method in sorted({method for variant in scored.values() for method in variant.parts}):
        row, replicated = _overall_row(method, scored)
        runs = [
            variant.parts[method].runs if method in variant.parts else 0
            for variant in scored.values()
        ]
        complete = min(runs) >= max(1, expected.get(method, 0))
        division = GUARDRAIL if method in guardrails else WEIGHTS
        about: Row = {"method": method, "anchor": method in anchors, "division": division}
        rows[method] = about | {"complete": complete} | row
        if complete and method not in anchors and not np.isnan(replicated[0]):
            competitors[division][method] = replicated
    ranks = {name: row for own in competitors.values() for name, row in _ranks(own).items()}
    return [row | ranks.get(name, UNRANKED) for name, row in rows.items()]


def _ranked(
    scored: Mapping[Place, Scored],
    expected: Mapping[str, int],
    index: pd.DataFrame,
    by: tuple[str, ...],
) -> pd.DataFrame:
    """Ranked rows of each track, or of each track and task; a method with any guardrail run on a
    track counts as a guardrail there.
    """
    anchors = set(index.loc[index["anchor"].astype(bool), "method"])
    guarded = index[index["division"] == GUARDRAIL]
    rows: list[Row] = []
    for group in sorted({place[: len(by)] for place in scored}):
        variants = {
            place: variant for place, variant in scored.items() if place[: len(by)] == group
        }
        where = dict(zip(by, group, strict=True))
        guardrails = set(guarded.loc[guarded["track"] == group[0], "method"])
        rows += [where | row for row in _rows(variants, expected, anchors, guardrails)]
    table = pd.DataFrame(rows)
    if table.empty:
        return table
    ascending = [True] * len(by) + [False, True]
    return table.sort_values([*by, "score", "method"], ascending=ascending).reset_index(drop=True)


def _composed(tables: Sequence[Tables]) -> dict[str, pd.DataFrame]:
    """Each table, concatenated from those of references and methods."""
    composed = {}
    for name, columns in COMPOSED.items():
        parts = [table[name] for table in tables if name in table]
        empty = pd.DataFrame(columns=list(columns))
        composed[name] = pa.concat_tables(parts).to_pandas() if parts else empty
    return composed


def _followed(trajectories: pd.DataFrame) -> pd.DataFrame:
    """The trajectories of variants on which any method was evaluated at intermediate checkpoints;
    the others have only a start and an end.
    """
    between = trajectories["share"].between(0, 1, inclusive="neither")
    followed = between.groupby([trajectories[name] for name in PLACE]).transform("any")
    return trajectories[followed.astype(bool)].reset_index(drop=True)


def standings(
    index: pd.DataFrame,
    examples: Mapping[str, pd.DataFrame],
    expected: Mapping[str, int] | None = None,
    replicates: int = REPLICATES,
    derived: Derived | None = None,
) -> Standings:
    """Scores everything: `index` has a row per successful record, `examples` its example frame by
    id.

    `index` columns: id, role ("target", "oracle", "method"), track, task, variant, method, seed,
    anchor, division, target (the record of the target), budget_steps, and if `derived` caches
    parts, the digest of the outputs. `expected`: how many seeds a method needs on each variant to
    be ranked. Variants without target or oracles are left out.
    """
    scored: dict[Place, Scored] = {}
    tables: list[Tables] = []
    for variant in variants_of(index, examples, replicates, derived or Derived()):
        references = variant.references()
        parts = {method: variant.part(method) for method in variant.methods}
        informs = frozenset(references.pop("informs")["quantity"].to_pylist())
        scored[variant.place] = Scored(parts, informs)
        tables += [references, *(part.tables for part in parts.values())]
    spent = {
        place: {method: part.spent for method, part in scored_variant.parts.items()}
        for place, scored_variant in scored.items()
    }
    composed = _composed(tables)
    composed["trajectories"] = _followed(composed["trajectories"])
    compared = (*PLACE, "method", "level", "quantity", *SPREAD)
    rivals = [row for place, by_method in spent.items() for row in rival_rows(place, by_method)]
    return Standings(
        **composed,
        overall=_ranked(scored, expected or {}, index, ("track",)),
        tasks=_ranked(scored, expected or {}, index, ("track", "task")),
        rivals=pd.DataFrame(rivals, columns=compared),
        contrasts=pd.DataFrame(contrast_rows(spent), columns=(*PLACE, "minus", *compared[3:])),
    )
