"""Standings of records; a few processes compute the parts that are not cached yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from benchmark.records.derived import Derived
from benchmark.records.frames import ExampleFrames, index_frame
from benchmark.records.identity import ORACLE, TARGET
from benchmark.records.schema import Record
from benchmark.records.store import ResultStore
from benchmark.statistics.bootstrap import REPLICATES
from benchmark.statistics.parts import variants_of
from benchmark.statistics.processes import shared_out
from benchmark.statistics.ranking import Standings, standings

TOGETHER = 8  # methods of a variant in one job: they share the references

Job = tuple[pd.DataFrame, ExampleFrames, Derived]


def standings_of(
    results: ResultStore, records: Sequence[Record], expected: Mapping[str, int], derived: Derived
) -> Standings:
    """Standings of these records; `expected` is the number of seeds by row name."""
    index, examples = index_frame(records), ExampleFrames(results, records, derived)
    jobs = list(_jobs(index, examples, derived)) if derived.folder else []
    shared_out(_keep, jobs, sum(len(rows) for rows, *_ in jobs))
    return standings(index, examples, expected, derived=derived)


def _jobs(index: pd.DataFrame, examples: ExampleFrames, derived: Derived) -> Iterator[Job]:
    """Yields jobs of a few methods of one variant, with its references, for the methods whose parts
    are not cached.
    """
    for variant in variants_of(index, examples, REPLICATES, derived):
        missing = [method for method in variant.methods if not variant.has(method)]
        for first in range(0, len(missing), TOGETHER):
            methods = missing[first : first + TOGETHER]
            compared = variant.index["role"].isin((TARGET, ORACLE))
            rows = variant.index[compared | variant.index["method"].isin(methods)]
            yield rows, examples.only(rows["id"]), derived


def _keep(index: pd.DataFrame, examples: ExampleFrames, derived: Derived) -> None:
    for variant in variants_of(index, examples, REPLICATES, derived):
        variant.references()
        for method in variant.methods:
            variant.part(method)
