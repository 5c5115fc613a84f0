"""The rows of the ranked tables, and the values of a record beside those of its references."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from benchmark.metrics import METRICS
from benchmark.metrics.frames import ALL
from benchmark.metrics.stages import ON_THE_WAY, sort_of
from benchmark.records.identity import MethodInfo, shown_variant
from benchmark.records.marks import Dispute
from benchmark.records.schema import GUARDRAIL, WEIGHTS, MetricValue, Record
from benchmark.statistics import AXES, metric_name
from benchmark.statistics.axes import BARRED, LEAST_GAP
from benchmark.statistics.divisions import divided
from leaderboard.board import REFERENCES, Track
from leaderboard.marks import RowDispute, RowMark, row_disputes, row_marks

QUANTITIES = ("score", *AXES)


@dataclass(frozen=True)
class Quantity:
    """A score or an axis with its interval; NaN where there is none."""

    value: float
    low: float
    high: float

    @property
    def known(self) -> bool:
        return not math.isnan(self.value)

    @property
    def has_interval(self) -> bool:
        return not (math.isnan(self.low) or math.isnan(self.high))


UNKNOWN = Quantity(math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class Row:
    """One line of a ranked table: a method on a track, a task or a variant; no `quantities`:
    nothing is scored.

    `of` is how many variants the table has, `expected` how many runs the row needs on those that it
    was run on; `marks` and `disputes` are those of its runs.
    """

    name: str
    method: MethodInfo
    quantities: dict[str, Quantity]
    runs: list[Record]
    expected: int
    complete: bool
    rank: int | None = None
    tied: bool = False
    worst_attack: str = ""
    mean_over_attacks: float = math.nan
    of: int = 1
    marks: Sequence[RowMark] = ()
    disputes: Sequence[RowDispute] = ()

    @property
    def variants(self) -> list[str]:
        """The variants that the method was run on, with or without success."""
        return sorted({record.variant for record in self.runs})

    @property
    def anchor(self) -> bool:
        return self.method.anchor

    @property
    def division(self) -> str:
        """A row with any run that is a guardrail is one."""
        guarded = any(run.provenance.division == GUARDRAIL for run in self.runs)
        return GUARDRAIL if guarded else WEIGHTS

    @property
    def succeeded(self) -> int:
        return sum(record.status == "ok" for record in self.runs)

    @property
    def failed(self) -> list[Record]:
        return [record for record in self.runs if record.status == "error"]

    @property
    def state(self) -> str:
        """`failed` without any result, `unscored` without references to compare with, `complete`,
        `incomplete`, or `partial`: nothing is missing on the variants that the method was run on,
        but the table has others.
        """
        if not self.quantities:
            return "unscored" if self.succeeded else "failed"
        if self.complete:
            return "complete"
        return (
            "partial"
            if len(self.variants) < self.of and self.succeeded == self.expected
            else "incomplete"
        )

    def quantity(self, name: str) -> Quantity:
        return self.quantities.get(name, UNKNOWN)

    @property
    def lowered(self) -> Dispute | None:
        """The dispute of exactly these runs that leaves the lowest score, if it is below their own;
        the rank is that of their own score, for the other rows were not attacked like that.
        """
        scores = [row.dispute for row in self.disputes if row.whole]
        return next((d for d in scores if d.score < self.quantity("score").value), None)


def overall_rows(track: Track) -> list[Row]:
    """The ranked table of a track; rows whose runs all failed stand at the end, without numbers."""
    return _ranked_rows(track, track.records, track.standings.overall.to_dict("records"))


def by_division(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """The tables that these rows are shown in."""
    return divided(rows, lambda row: row.anchor, lambda row: row.division)


def task_rows(track: Track, task: str) -> list[Row]:
    """The ranked table of one task, where methods that a suite runs on this task only have a
    rank too.
    """
    rows = [row for row in track.standings.tasks.to_dict("records") if row["task"] == task]
    return _ranked_rows(track, track.records_of(task), rows)


def _ranked_rows(
    track: Track, records: Sequence[Record], standing: Sequence[Mapping[Any, Any]]
) -> list[Row]:
    scored = {row["method"]: row for row in standing}
    ranks = {
        name: int(row["rank"])
        for name, row in scored.items()
        if row["rank"] and row["rank"] == row["rank"]
    }
    shared = Counter((scored[name]["division"], rank) for name, rank in ranks.items())
    variants = len({record.variant for record in records})
    rows = []
    for name, runs in _runs_by_row(records, track).items():
        rank = ranks.get(name)
        tied = rank is not None and shared[scored[name]["division"], rank] > 1
        complete = name in scored and bool(scored[name]["complete"])
        expected = track.expected[name] * len({run.variant for run in runs})
        quantities = _quantities(scored.get(name))
        row = Row(name, runs[0].method, quantities, runs, expected, complete, rank, tied)
        rows.append(replace(row, of=variants, **_said_of(runs, track)))
    return sorted(rows, key=_by_score)


def variant_rows(track: Track, variant: str) -> list[Row]:
    """The table of one variant; nothing is ranked on a variant alone."""
    records = track.standings.variants.to_dict("records")
    scored = {r["method"]: r for r in records if shown_variant(r["task"], r["variant"]) == variant}
    rows = []
    for name, runs in _runs_by_row(
        [r for r in track.records if r.variant == variant], track
    ).items():
        expected = track.expected[name]
        complete = sum(run.status == "ok" for run in runs) >= expected
        quantities = _quantities(scored.get(name))
        row = Row(name, runs[0].method, quantities, runs, expected, complete)
        rows.append(replace(row, **_attacked(scored.get(name)), **_said_of(runs, track)))
    return sorted(rows, key=_by_score)


def _attacked(row: Mapping[Any, Any] | None) -> dict[str, Any]:
    names = ("worst_attack", "mean_over_attacks")
    return {} if row is None else {name: row[name] for name in names}


def _said_of(runs: Sequence[Record], track: Track) -> dict[str, Any]:
    return {
        "marks": row_marks(runs, track.marks),
        "disputes": row_disputes(runs, track.marks),
    }


def _runs_by_row(records: Iterable[Record], track: Track) -> dict[str, list[Record]]:
    """The records of methods, not of references, by row name, each in order of variant and seed."""
    by_row: dict[str, list[Record]] = {}
    for record in sorted(records, key=lambda r: (r.variant, r.seed)):
        if record.method.name not in REFERENCES:
            by_row.setdefault(track.row_names[record.id], []).append(record)
    return by_row


def _quantities(row: Mapping[Any, Any] | None) -> dict[str, Quantity]:
    if row is None:
        return {}
    return {
        name: Quantity(*(float(row[f"{name}{end}"]) for end in ("", "_low", "_high")))
        for name in QUANTITIES
    }


def _by_score(row: Row) -> tuple[bool, float, str]:
    score = row.quantity("score")
    return not score.known, -score.value if score.known else 0.0, row.name


@dataclass(frozen=True)
class ValueRow:
    """A recorded value, with the references' and its recovery (of utility: the share kept); NaN
    where there is none.
    """

    value: MetricValue
    axis: str
    description: str
    target: float
    oracle: float
    recovery: float


class Beside(NamedTuple):
    """What the standings say about a value."""

    axis: str
    value: float
    target: float
    oracle: float
    recovery: float


NOTHING_BESIDE = Beside("", math.nan, math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class RunScores:
    """What the standings say about one run, by metric and stratum; nothing of references and
    failures.
    """

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


def run_scores(track: Track, records: Sequence[Record]) -> dict[str, RunScores]:
    """Those of a variant's records, by id; `records` are all of one variant."""
    task, table = records[0].task, track.standings.table
    rows = table[(table["task"] == task.name) & (table["variant"] == (task.variant or ALL))]
    by_run: dict[tuple[str, int], dict[tuple[str, str], Beside]] = {}
    runs = zip(rows["method"].tolist(), rows["seed"].tolist(), strict=True)
    names = zip(rows["metric"].tolist(), rows["stratum"].tolist(), strict=True)
    beside = zip(*(rows[name].tolist() for name in Beside._fields), strict=True)
    for run, name, numbers in zip(runs, names, beside, strict=True):
        by_run.setdefault(run, {})[name] = Beside(*numbers)
    of_record = {r.id: by_run.get((track.row_names[r.id], r.seed)) for r in records}
    return {record_id: RunScores(run_rows) for record_id, run_rows in of_record.items() if run_rows}


@dataclass(frozen=True)
class WayTable:
    """A run's values on the way: a row per value, a column per stage, in order; NaN where a
    stage lacks it.
    """

    sort: str
    stages: list[str]
    rows: list[tuple[MetricValue, list[float]]]


def on_the_way(values: Sequence[ValueRow]) -> list[WayTable]:
    """One table for the shares of the budget and one for the requests, as far as the run has
    such stages.
    """
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
    metric = METRICS.get(value.metric)
    described = metric.description if metric else ""
    return ValueRow(value, beside.axis, described, beside.target, beside.oracle, beside.recovery)


@dataclass(frozen=True)
class LeftOut:
    """A metric that says nothing on a variant, with what shows it: the oracles differ by
    `spread` among themselves.
    """

    metric: str
    axis: str
    target: float
    oracle: float
    spread: float

    @property
    def reason(self) -> str:
        if self.axis == "utility":
            return "the target scores zero"
        if self.target == self.oracle:
            return "target and oracles are equal"
        if abs(self.target - self.oracle) < LEAST_GAP:
            return f"target and oracles differ by less than {LEAST_GAP:g}"
        if abs(self.target - self.oracle) < self.spread:
            return "target and oracles differ by less than the oracles differ among themselves"
        if any(self.metric.endswith(name) for names in BARRED.values() for name in names):
            return "fails the rule for answers of this form, or its interval contains 0"
        return "the interval of the difference over entities contains 0"


def left_out(track: Track) -> dict[str, list[LeftOut]]:
    """What was left out as uninformative on each variant of the track, none included."""
    by_variant: dict[str, list[LeftOut]] = {variant: [] for variant in track.variants}
    for row in track.standings.uninformative.to_dict("records"):
        variant = shown_variant(row["task"], row["variant"])
        numbers = (float(row[name]) for name in ("target", "oracle", "spread"))
        by_variant[variant].append(LeftOut(row["metric"], row["axis"], *numbers))
    return by_variant
