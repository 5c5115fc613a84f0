"""The values of a record next to those of its references, and the uninformative metrics."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from benchmark.metrics.frames import ALL
from benchmark.metrics.stages import ON_THE_WAY, sort_of
from benchmark.records.identity import shown_variant
from benchmark.records.schema import MetricValue, Record
from benchmark.statistics import metric_name
from leaderboard.board import Track
from leaderboard.tables import QUANTITIES


@dataclass(frozen=True)
class ValueRow:
    """A recorded value with the references' values and its recovery (for utility: the share
    retained); NaN where there is none.
    """

    value: MetricValue
    axis: str
    target: float
    oracle: float
    recovery: float


class Beside(NamedTuple):
    """What the standings report for a value."""

    axis: str
    value: float
    target: float
    oracle: float
    recovery: float


NOTHING_BESIDE = Beside("", math.nan, math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class RunScores:
    """The standings of one run, by metric and stratum; empty for references and failed runs."""

    rows: Mapping[tuple[str, str], Beside]

    @property
    def scores(self) -> dict[str, float]:
        """Score and axes of the run."""
        rows = {name: self.rows.get((name, ALL)) for name in QUANTITIES}
        return {name: row.value for name, row in rows.items() if row}

    def values(self, record: Record) -> list[ValueRow]:
        return [
            _value_row(value, self.rows.get((_name(value), value.stratum), NOTHING_BESIDE))
            for value in record.value_rows()
        ]


def rows_of_variant(track: Track, record: Record) -> pd.DataFrame:
    """The standings of all runs of a record's variant."""
    task, table = record.task, track.standings.table
    return table[(table["task"] == task.name) & (table["variant"] == (task.variant or ALL))]


def run_scores(
    rows: pd.DataFrame, records: Sequence[Record], row_names: Mapping[str, str]
) -> dict[str, RunScores]:
    """The scores of each scored record by id, from the `rows_of_variant`."""
    by_run: dict[tuple[str, int], dict[tuple[str, str], Beside]] = {}
    runs = zip(rows["method"].tolist(), rows["seed"].tolist(), strict=True)
    names = zip(rows["metric"].tolist(), rows["stratum"].tolist(), strict=True)
    beside = zip(*(rows[name].tolist() for name in Beside._fields), strict=True)
    for run, name, numbers in zip(runs, names, beside, strict=True):
        by_run.setdefault(run, {})[name] = Beside(*numbers)
    of_record = {r.id: by_run.get((row_names[r.id], r.seed)) for r in records}
    return {record_id: RunScores(run_rows) for record_id, run_rows in of_record.items() if run_rows}


@dataclass(frozen=True)
class WayTable:
    """A run's values at intermediate stages: a row per value and a column per stage, in order; NaN
    where a stage lacks the value.
    """

    sort: str
    stages: list[str]
    rows: list[tuple[MetricValue, list[float]]]


def on_the_way(values: Sequence[ValueRow]) -> list[WayTable]:
    """One table over shares of the budget and one over requests, if the run has such stages."""
    tables = []
    for sort in sorted(ON_THE_WAY):
        stage_values = [row.value for row in values if sort_of(row.value.stage) == sort]
        stages = sorted({value.stage for value in stage_values})
        by_key = {(v.split, v.metric, v.stratum, v.stage): v for v in stage_values}
        first = {key[:3]: value for key, value in reversed(by_key.items())}
        rows = [
            (
                first[key],
                [v.value if (v := by_key.get((*key, stage))) else math.nan for stage in stages],
            )
            for key in sorted(first, key=lambda key: (key[0], key[1], key[2] != ALL, key[2]))
        ]
        tables += [WayTable(sort, stages, rows)] if rows else []
    return tables


def _name(value: MetricValue) -> str:
    return metric_name((value.stage, value.split, value.metric, value.stratum))


def _value_row(value: MetricValue, beside: Beside) -> ValueRow:
    return ValueRow(value, beside.axis, beside.target, beside.oracle, beside.recovery)


@dataclass(frozen=True)
class LeftOut:
    """A metric that is uninformative on a variant, the reason, and its values; `spread` is the
    spread among the oracles.
    """

    metric: str
    axis: str
    reason: str
    target: float
    oracle: float
    spread: float


def left_out(track: Track) -> dict[str, list[LeftOut]]:
    """The metrics excluded as uninformative on each variant of the track, if any."""
    by_variant: dict[str, list[LeftOut]] = {variant: [] for variant in track.variants}
    for row in track.standings.uninformative.to_dict("records"):
        variant = shown_variant(row["task"], row["variant"])
        numbers = (float(row[name]) for name in ("target", "oracle", "spread"))
        said = (row["metric"], row["axis"], row["reason"])
        by_variant[variant].append(LeftOut(*said, *numbers))
    return by_variant
