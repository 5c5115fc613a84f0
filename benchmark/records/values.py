"""Values of a record as tables: one per stage and split, with a row for each stratum."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pydantic import Field

from benchmark.metrics import METRICS
from benchmark.metrics.base import Value
from benchmark.metrics.distribution import SUMMARIES
from benchmark.metrics.frames import ALL
from benchmark.metrics.stages import ATTACK, MODEL_STAGE, sort_of
from benchmark.records.identity import Identity, Part

DIGITS = 6  # significant digits of recorded values
TRIAL_SPLITS = ("forget", ALL)
JUDGED = "memorization"  # the strata that the meta-evaluation of metrics uses
Tables = Mapping[str, Mapping[str, "ValueTable"]]  # by stage and split


class ValueTable(Part):
    """Values of one stage and split.

    `values` and `failed` have a column for each metric, with one entry per stratum; in `values`,
    null means that the metric does not apply. `n` is the number of examples in a stratum, `failed`
    the number of them that could not be scored; metrics without failures have no `failed` column.
    """

    strata: list[str]
    n: list[int]
    values: dict[str, list[float | None]]
    failed: dict[str, list[int]] = Field(default_factory=dict)


@dataclass(frozen=True)
class MetricValue:
    """A value with its unit and direction; `stratum` is "all" or "name=value"."""

    stage: str
    split: str
    metric: str
    version: int
    stratum: str
    value: float
    n_scored: int
    n_failed: int
    better: str
    unit: str


def recorded(value: float) -> float:
    """The value to DIGITS significant digits."""
    return float(f"{value:.{DIGITS}g}")


def tables_of(values: Iterable[Value | MetricValue]) -> dict[str, dict[str, ValueTable]]:
    """Values as tables by stage and split.

    Raises ValueError if two metrics disagree on the number of examples in a stratum, which a table
    cannot represent.
    """
    by_stage: dict[str, dict[str, list[Value | MetricValue]]] = {}
    for value in values:
        by_stage.setdefault(value.stage, {}).setdefault(value.split, []).append(value)
    return {
        stage: {split: _table(split_values) for split, split_values in splits.items()}
        for stage, splits in by_stage.items()
    }


def _table(values: list[Value | MetricValue]) -> ValueTable:
    strata = list(dict.fromkeys(v.stratum for v in values))
    place, n = {stratum: i for i, stratum in enumerate(strata)}, [-1] * len(strata)
    columns: dict[str, list[float | None]] = {}
    failed: dict[str, list[int]] = {}
    for value in values:
        row, total = place[value.stratum], value.n_scored + value.n_failed
        if n[row] not in (-1, total):
            raise ValueError(
                f"{value.metric} counts {total} examples of {value.stratum}, not {n[row]}"
            )
        n[row] = total
        columns.setdefault(value.metric, [None] * len(strata))[row] = recorded(value.value)
        if value.n_failed:
            failed.setdefault(value.metric, [0] * len(strata))[row] = value.n_failed
    return ValueTable(strata=strata, n=n, values=columns, failed=failed)


def kept_tables(tables: Tables, identity: Identity) -> Tables:
    """The tables that a record stores: all of them, or, for a trial, `trial_tables`."""
    if not identity.is_trial:
        return tables
    return trial_tables(tables, JUDGED if identity.method.anchor else ALL)


def trial_tables(tables: Tables, strata: str = ALL) -> dict[str, dict[str, ValueTable]]:
    """The values that a trial stores: those of the final model and after each attack, on the forget
    set and for the model as a whole. The trial's axes summarize the other splits.

    Trials of anchor methods also keep the `memorization` strata, since the meta-evaluation of
    metrics uses them.
    """
    kept = {
        stage: {s: _of_strata(splits[s], strata) for s in TRIAL_SPLITS if s in splits}
        for stage, splits in tables.items()
        if sort_of(stage) in (MODEL_STAGE, ATTACK)
    }
    return {stage: splits for stage, splits in kept.items() if splits}


def _of_strata(table: ValueTable, name: str) -> ValueTable:
    """The table restricted to `all` and to the strata of this name."""
    rows = [i for i, s in enumerate(table.strata) if s == ALL or s.partition("=")[0] == name]
    values = {m: [column[row] for row in rows] for m, column in table.values.items()}
    failed = {m: [counts[row] for row in rows] for m, counts in table.failed.items()}
    return ValueTable(
        strata=[table.strata[row] for row in rows],
        n=[table.n[row] for row in rows],
        values={m: column for m, column in values.items() if set(column) != {None}},
        failed={m: counts for m, counts in failed.items() if any(counts)},
    )


def versions_of(tables: Tables) -> dict[str, int]:
    """The current version of every metric in the tables."""
    names = {m for splits in tables.values() for table in splits.values() for m in table.values}
    return {name: about(name)[2] for name in sorted(names)}


def about(metric: str) -> tuple[str, str, int]:
    """(better, unit, version) of a metric or summary; KeyError if it is unknown."""
    if known := METRICS.get(metric):
        return known.better, known.unit, known.version
    return SUMMARIES[metric]


def rows_of(tables: Tables, versions: Mapping[str, int]) -> Iterator[MetricValue]:
    """Yields every value in the tables, with its direction and unit from the metric registry."""
    for stage, splits in tables.items():
        for split, table in splits.items():
            for metric, column in table.values.items():
                better, unit, _ = about(metric)
                missing = table.failed.get(metric, [0] * len(column))
                for stratum, n, value, failed in zip(
                    table.strata, table.n, column, missing, strict=True
                ):
                    if value is not None:
                        yield MetricValue(
                            stage=stage,
                            split=split,
                            metric=metric,
                            version=versions[metric],
                            stratum=stratum,
                            value=value,
                            n_scored=n - failed,
                            n_failed=failed,
                            better=better,
                            unit=unit,
                        )
