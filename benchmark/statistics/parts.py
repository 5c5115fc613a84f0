"""Building blocks of standings: the tables of each method on each variant, and of its references.

Each part depends only on the outputs of its own runs, target and oracles. Parts are small beside
these outputs and cached on disk, so a new record costs only its own method's part, however many
records there are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import pyarrow as pa

from benchmark.records.code_digest import behind
from benchmark.records.derived import Derived, Tables
from benchmark.records.identity import ORACLE, TARGET
from benchmark.statistics.attack_agreement import attack_rows
from benchmark.statistics.attack_curves import curve_rows
from benchmark.statistics.continual import request_rows
from benchmark.statistics.draws import draw_rows
from benchmark.statistics.light_evaluation import evaluation_rows
from benchmark.statistics.misalignment import misalignment_rows
from benchmark.statistics.probes import probe_rows
from benchmark.statistics.summaries import summary_rows
from benchmark.statistics.tables import (
    COLUMNS,
    Place,
    Row,
    long_rows,
    stratum_rows,
    text_rows,
    uninformative_rows,
    variant_rows,
)
from benchmark.statistics.trajectories import Spent, level_rows, spent_by, trajectory_rows
from benchmark.statistics.variants import (
    QUANTITIES,
    VariantScores,
    ids_of,
    references_of,
    with_runs,
)

REFERENCES = (TARGET, ORACLE)
Frames = dict[str, pd.DataFrame]


@dataclass(frozen=True)
class Part:
    """One method on one variant: its tables, and the quantities that are ranked and compared, each
    (replicates + 1,).

    `runs` is the number of seeds, `quantities` are the axes and the score averaged over drawn
    seeds.
    """

    tables: Tables
    runs: int
    quantities: Mapping[str, np.ndarray]
    spent: Spent


class Variant:
    """One variant of an index: the tables of its references, and the part of each method.

    `index` has a row per record of the variant (see `standings`), `examples` their frames by id.
    """

    def __init__(
        self,
        place: Place,
        index: pd.DataFrame,
        examples: Mapping[str, pd.DataFrame],
        replicates: int,
        derived: Derived,
    ) -> None:
        self.place, self.index = place, index
        self._examples, self._replicates, self._derived = examples, replicates, derived
        self._compared = index[index["role"].isin(REFERENCES)]
        # A run whose target failed, or is not among the records, cannot be compared.
        compared = (index["role"] == "method") & index["target"].isin(self._compared["id"])
        methods = index[compared].sort_values(["method", "seed"])
        self._rows = {str(method): rows for method, rows in methods.groupby("method")}

    @property
    def methods(self) -> list[str]:
        return sorted(self._rows)

    @cached_property
    def _references(self) -> VariantScores:
        return references_of(self._compared, self._examples, self._replicates)

    @cached_property
    def _shared(self) -> list:
        digests = dict(zip(self._compared["id"], self._compared["digest"], strict=True))
        others = [[digests[i] for i in ids_of(self._compared, role)] for role in REFERENCES]
        steps = int(self._compared["budget_steps"].iloc[0])
        return [behind(__name__), *self.place, others, steps, self._replicates]

    def _sources(self, method: str = "") -> list:
        """All dependencies of a method's part, or without a method those of the references."""
        if self._derived.folder is None:
            return []
        if not method:
            return self._shared
        rows = self._rows[method]
        digests = dict(zip(self._compared["id"], self._compared["digest"], strict=True))
        targets = [digests[target] for target in rows["target"]]
        runs = list(zip(rows["seed"].tolist(), rows["digest"].tolist(), targets, strict=True))
        return [*self._shared, method, runs]

    def has(self, method: str) -> bool:
        return self._derived.has("methods", self._sources(method))

    def references(self) -> Tables:
        """The tables of target and oracles, the metrics that are left out (`uninformative`), and
        the quantities on which the variant is informative (`informs`).
        """
        return self._derived.tables("references", self._sources(), self._reference_tables)

    def part(self, method: str) -> Part:
        tables = self._derived.tables(
            "methods", self._sources(method), lambda: self._method_tables(method)
        )
        quantities, by_name = (_columns(tables.pop(name)) for name in ("quantities", "spent"))
        spent = {tuple(json.loads(name)): values for name, values in by_name.items()}
        return Part(tables, len(self._rows[method]), quantities, spent)

    def _reference_tables(self) -> Frames:
        references, place = self._references, self.place
        informs: list[Row] = [{"quantity": name} for name in QUANTITIES if references.informs(name)]
        return _kept(
            {
                "uninformative": uninformative_rows(place, references),
                "informs": informs,
                "strata": stratum_rows(place, references, REFERENCES),
                "requests": request_rows(place, references, REFERENCES),
                "summaries": summary_rows(place, self._compared, self._examples, REFERENCES),
                "probes": self._probe_rows(self._compared, REFERENCES),
                "curves": curve_rows(place, references, REFERENCES),
                "texts": text_rows(place, self._compared, self._examples),
            }
        )

    def _method_tables(self, method: str) -> Frames:
        rows, place = self._rows[method], self.place
        scores = with_runs(self._references, rows, self._examples)
        compared = pd.concat([self._compared, rows])
        spent = spent_by(scores, method)
        tables = _kept(
            {
                "table": long_rows(place, scores),
                "variants": variant_rows(place, scores),
                "strata": stratum_rows(place, scores, [method]),
                "trajectories": trajectory_rows(place, scores),
                "levels": level_rows(place, method, spent),
                "requests": request_rows(place, scores, [method]),
                "misalignment": misalignment_rows(
                    place, compared, self._examples, self._replicates
                ),
                "summaries": summary_rows(place, compared, self._examples, [method]),
                "probes": self._probe_rows(compared, [method]),
                "attacks": attack_rows(place, scores),
                "evaluations": evaluation_rows(place, scores),
                "curves": curve_rows(place, scores, [method]),
                "draws": draw_rows(place, scores, method),
                "texts": text_rows(place, rows, self._examples),
            }
        )
        tables["table"] = tables["table"].reindex(columns=COLUMNS)
        quantities = {name: scores.quantity(method, name) for name in QUANTITIES}
        by_name = {json.dumps(key): values for key, values in spent.items()}
        return tables | {"quantities": pd.DataFrame(quantities), "spent": pd.DataFrame(by_name)}

    def _probe_rows(self, index: pd.DataFrame, names: Sequence[str]) -> Iterator[Row]:
        return probe_rows(self.place, index, self._examples, self._replicates, names)


def _columns(table: pa.Table) -> dict[str, np.ndarray]:
    return {name: table.column(name).to_numpy() for name in table.column_names}


def _kept(rows: Mapping[str, Iterable[Row]]) -> Frames:
    """Frames of the tables that have rows."""
    frames = {name: pd.DataFrame(list(table_rows)) for name, table_rows in rows.items()}
    return {name: frame for name, frame in frames.items() if len(frame)}


def variants_of(
    index: pd.DataFrame, examples: Mapping[str, pd.DataFrame], replicates: int, derived: Derived
) -> Iterator[Variant]:
    """Yields the variants of an index that have target and oracles, in order."""
    for place, group in index.groupby(["track", "task", "variant"], sort=True):
        if set(REFERENCES) <= set(group["role"]):
            track, task, variant = map(str, place)
            yield Variant((track, task, variant), group, examples, replicates, derived)
