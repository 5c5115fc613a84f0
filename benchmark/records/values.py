"""Values of a record in columns: a table for each stage and split, a row for each stratum."""

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

DIGITS = 6  # significant, of recorded values
TRIAL_SPLITS = ("forget", ALL)
JUDGED = "memorization"  # the strata that metrics are judged by
Tables = Mapping[str, Mapping[str, "ValueTable"]]  # by stage and split


class ValueTable(Part):
    """`values` and `failed` have a column for each metric, with a number for each stratum; null
    where a metric does not apply. `n` is how many examples a stratum has, `failed` how many of them
    could not be scored, left out where all could.
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
    """Values as they are recorded.

    Raises ValueError if two metrics count a stratum's examples differently: no table could say it.
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
    """What a record keeps of its values: all of them, or what a trial keeps."""
    if not identity.is_trial:
        return tables
    return trial_tables(tables, JUDGED if identity.method.anchor else ALL)


def trial_tables(tables: Tables, strata: str = ALL) -> dict[str, dict[str, ValueTable]]:
    """What a trial keeps: values of the final model and of every attack's, on the forget set and of
    the model as a whole. Its axes say what became of the other splits.

    An anchor's trial also keeps the strata by how strongly examples were memorized, since metrics
    are judged by it.
    """
    kept = {
        stage: {s: _of_strata(splits[s], strata) for s in TRIAL_SPLITS if s in splits}
        for stage, splits in tables.items()
        if sort_of(stage) in (MODEL_STAGE, ATTACK)
    }
    return {stage: splits for stage, splits in kept.items() if splits}


def _of_strata(table: ValueTable, name: str) -> ValueTable:
    """The table of all examples and of the strata by this name."""
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
    """The present version of every metric that the tables have."""
    names = {m for splits in tables.values() for table in splits.values() for m in table.values}
    return {name: about(name)[2] for name in sorted(names)}


def about(metric: str) -> tuple[str, str, int]:
    """(better, unit, version) of a metric or summary, KeyError if there is none."""
    if known := METRICS.get(metric):
        return known.better, known.unit, known.version
    return SUMMARIES[metric]


def rows_of(tables: Tables, versions: Mapping[str, int]) -> Iterator[MetricValue]:
    """Every value of the tables; what a metric is comes from the registry of metrics."""
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
