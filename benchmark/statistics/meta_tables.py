"""Tables that judge metrics by the records, behind `palimpsest meta` and docs/META.md."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

import pandas as pd

from benchmark.errors import BadInput
from benchmark.metrics.stages import MODEL_STAGE
from benchmark.records.frames import split_current
from benchmark.records.schema import Record
from benchmark.records.store import ResultStore, read_record
from benchmark.statistics import meta_evaluation as meta
from benchmark.statistics.axis_rule import judged_rows
from benchmark.statistics.metric_agreement import metric_agreement


@dataclass(frozen=True)
class MetaTables:
    """The tables of `meta_evaluation`, `axis_rule` and `metric_agreement`, each computed once."""

    records: Sequence[Record]

    @cached_property
    def values(self) -> pd.DataFrame:
        return meta.values_of(self.records)

    @cached_property
    def pools(self) -> pd.DataFrame:
        return meta.pools_of(self.values)

    @cached_property
    def beside(self) -> pd.DataFrame:
        """The values of all models on the tracks of the pools; the pools' thresholds do not hold
        for other architectures.
        """
        return self.values[self.values["track"].isin(set(self.pools["track"]))]

    @cached_property
    def board(self) -> pd.DataFrame:
        return self.values[self.values["track"] == meta.BOARD]

    @cached_property
    def bars(self) -> pd.DataFrame:
        return meta.faithfulness_rows(self.pools)

    @cached_property
    def controls(self) -> pd.DataFrame:
        return meta.control_rows(self.pools)

    @cached_property
    def robust(self) -> pd.DataFrame:
        return meta.robustness_rows(self.beside, meta.useful_rows(self.records), self.bars)

    @cached_property
    def audits(self) -> pd.DataFrame:
        return meta.audit_rows(self.pools, self.bars)

    @cached_property
    def caught(self) -> pd.DataFrame:
        return meta.caught_rows(self.beside, self.bars)

    @cached_property
    def judged(self) -> pd.DataFrame:
        return judged_rows(self.bars, self.controls, self.audits, self.robust)

    @cached_property
    def agreement(self) -> pd.DataFrame:
        """Agreement between metrics of the final model, over the rows of the board."""
        return metric_agreement(self.board[self.board["stage"] == MODEL_STAGE])

    @cached_property
    def seconds(self) -> Mapping[tuple[str, str], float]:
        """Mean seconds by variant and stage, over the models of the pools."""
        spent = defaultdict(list)
        for record in self.records:
            if record.method.name == meta.POOL:
                for stage, seconds in record.provenance.cost.seconds.items():
                    spent[record.variant, stage].append(seconds)
        return {place: fmean(seconds) for place, seconds in spent.items()}


def meta_tables(results: ResultStore) -> MetaTables:
    """The tables for the current records of a store; BadInput if there are no pools."""
    paths = results.paths()
    judging = {meta.BOARD, *(path.parts[-5] for path in paths if path.parent.name == meta.POOL)}
    # The values of all tracks would not fit in memory.
    read = (read_record(path) for path in paths if path.parts[-5] in judging)
    records, _ = split_current([record for record in read if record.status == "ok"])
    tables = MetaTables(records)
    if tables.pools.empty:
        raise BadInput(f"{results.root}: no pools; `palimpsest run --suite meta` trains them")
    return tables
