"""Validation: small named checks that say which file breaks which rule; every value is
recomputed from its samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pandas as pd

from benchmark.errors import BadInput
from benchmark.metrics import METRICS
from benchmark.metrics.distribution import SUMMARIES
from benchmark.metrics.sample import Sample
from benchmark.metrics.stages import MODEL_STAGE, ON_THE_WAY, REQUEST, sort_of
from benchmark.metrics.values import Value, metric_values
from benchmark.records.frames import read_frame
from benchmark.records.schema import ORACLE, TARGET, Record
from benchmark.records.store import ResultStore, read_record, read_samples

TOLERANCE = 1e-9
TIMINGS = "perf"  # of the results folder: measurements of speed, which are no records of cells
SAMPLES_KEPT = 8  # in memory: those of a record and of its references


@dataclass(frozen=True)
class Finding:
    """One broken rule."""

    path: Path
    check: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.check}: {self.message}"


class Folder:
    """All records below a results folder, whose example frames and samples are read when asked
    for.
    """

    def __init__(self, results: ResultStore) -> None:
        self.results = results
        self.records: dict[Path, Record] = {}
        self.unreadable: list[Finding] = []
        timings = set((results.root / TIMINGS).glob("*.json"))
        misplaced = set(results.root.rglob("*.json")) - set(results.paths()) - timings
        for path in sorted(misplaced):
            self.unreadable.append(
                Finding(path, "place", "records lie at <track>/<task>/<variant>/<method>/<id>.json")
            )
        for path in results.paths():
            try:
                self.records[path] = read_record(path)
            except BadInput as error:
                self.unreadable.append(
                    Finding(path, "schema", str(error).removeprefix(f"{path}: "))
                )
        self.by_id = {record.id: (path, record) for path, record in self.records.items()}
        self.samples = lru_cache(maxsize=SAMPLES_KEPT)(self._samples)

    def _samples(self, record_id: str) -> list[Sample]:
        path, record = self.by_id[record_id]
        return read_samples(path, record)

    def frame(self, record_id: str) -> pd.DataFrame:
        return read_frame(*self.by_id[record_id])


Check = Callable[[Path, Record, Folder], Iterator[str]]


def place(path: Path, record: Record, folder: Folder) -> Iterator[str]:
    """A record lies where its content says."""
    right = folder.results.path_of(record)
    if path != right:
        yield f"the record belongs at {right}"


def references(path: Path, record: Record, folder: Folder) -> Iterator[str]:
    """Target and oracles of a result are there, succeeded, and are of the same variant and data."""
    if record.status == "error":
        return
    if record.references is None:
        yield "a successful record must name its target and oracles"
        return
    wanted = [(TARGET, record.references.target), *((ORACLE, i) for i in record.references.oracles)]
    if len(set(record.references.oracles)) < 2:
        yield f"at least two oracles are needed, found {len(set(record.references.oracles))}"
    for role, record_id in wanted:
        if record_id not in folder.by_id:
            yield f"its {role} {record_id} is missing"
            continue
        other = folder.by_id[record_id][1]
        if other.method.name != role or other.status != "ok":
            yield (
                f"its {role} {record_id} is a record of {other.method.name} "
                f"with status {other.status}"
            )
        elif (other.track, other.task) != (record.track, record.task):
            yield f"its {role} {record_id} is of {other.track} {other.variant} with other data"


def samples(path: Path, record: Record, folder: Folder) -> Iterator[str]:
    """The samples file is there, with the recorded hash and number of rows."""
    if record.status != "ok":
        return
    if record.samples is None:
        yield "a successful record must have samples"
        return
    if record.samples.file != f"{record.id}.samples.parquet":
        yield (
            f"the samples file must be {record.id}.samples.parquet, "
            f"the record says {record.samples.file}"
        )
    try:
        rows = len(folder.frame(record.id))
    except BadInput as error:
        yield str(error)
        return
    if rows != record.samples.rows:
        yield f"the file has {rows} rows, the record says {record.samples.rows}"


def questions(path: Path, record: Record, folder: Folder) -> Iterator[str]:
    """A result is measured on the very examples that its target was measured on."""
    if record.status != "ok" or record.references is None:
        return
    others = (
        record.references.proxy and record.method.name == ORACLE
    )  # asked about other subjects, in the same order
    try:
        own, target = (
            {
                (s.stage, s.split, s.example): _question(s, others and s.split == "forget")
                for s in folder.samples(i)
            }
            for i in (record.id, record.references.target)
        )
    except (BadInput, KeyError):
        return  # reported by the checks of samples and references
    on_the_way = {key for key in own.keys() | target.keys() if sort_of(key[0]) in ON_THE_WAY}
    different = sorted(
        [
            key
            for key in (own.keys() | target.keys()) - on_the_way
            if own.get(key) != target.get(key)
        ]
        + [
            key
            for key in on_the_way & own.keys()
            if own[key] != target.get((MODEL_STAGE, *key[1:]))
        ]
    )
    if different:
        first = "/".join(different[0])
        yield f"{len(different)} examples are not those of the target, first {first}"


def _question(sample: Sample, other_subject: bool) -> tuple:
    """What was asked; of a proxy reference only whom it stands for."""
    whom = (sample.entity, sample.strata)
    asked = (sample.history, sample.prompt, sample.answer_prefix, sample.answer, sample.aliases)
    return whom if other_subject else (*whom, *asked)


def requests(path: Path, record: Record, folder: Folder) -> Iterator[str]:
    """A result was looked at after as many requests as the oracles that it is compared with."""
    if record.status != "ok" or record.references is None or record.method.name == TARGET:
        return
    try:
        own, *others = (
            _requests_of(folder.frame(i)) for i in (record.id, *record.references.oracles)
        )
    except (BadInput, KeyError):
        return  # reported by the checks of samples and references
    if any(other != own for other in others):
        yield (
            f"it was looked at after {len(own)} requests on the way, "
            f"an oracle after {max(map(len, others))}"
        )


def _requests_of(frame: pd.DataFrame) -> set[str]:
    return {stage for stage in frame["stage"].unique() if sort_of(stage) == REQUEST}


def metric_versions(path: Path, record: Record, folder: Folder) -> Iterator[str]:
    """Values were computed by the metrics' present versions."""
    for value in record.values:
        metric = METRICS.get(value.metric)
        version = (
            metric.version
            if metric
            else SUMMARIES[value.metric][2]
            if value.metric in SUMMARIES
            else None
        )
        if version is not None and version != value.version:
            yield f"{value.metric} is of version {value.version}, this version computes {version}"
            return


def values(path: Path, record: Record, folder: Folder) -> Iterator[str]:
    """Every recorded value is recomputed from the samples, and nothing is missing or added."""
    if record.status != "ok" or record.references is None:
        return
    try:
        others = [folder.frame(i) for i in record.references.oracles if i != record.id]
        fresh = metric_values(folder.frame(record.id), others)
    except (BadInput, KeyError):
        return  # reported by the checks of samples and references
    recomputed = {(v.stage, v.split, v.metric, v.stratum): v for v in fresh}
    recorded = {(v.stage, v.split, v.metric, v.stratum): v for v in record.values}
    keys = [(v.stage, v.split, v.metric, v.stratum) for v in record.values]
    for key in sorted({key for key in keys if keys.count(key) > 1}):
        yield f"{'/'.join(key)} is recorded more than once"
    for key in sorted(recomputed.keys() ^ recorded.keys()):
        state = "missing" if key in recomputed else "not a value of this version"
        yield f"{'/'.join(key)} is {state}"
    for key in sorted(recomputed.keys() & recorded.keys()):
        yield from _difference(key, recorded[key], recomputed[key])


def _difference(key: tuple[str, ...], recorded, recomputed: Value) -> Iterator[str]:
    name = "/".join(key)
    same = recorded.value == recomputed.value or (
        math.isnan(recorded.value) and math.isnan(recomputed.value)
    )
    if not same and not math.isclose(recorded.value, recomputed.value, abs_tol=TOLERANCE):
        yield f"{name}: recorded {recorded.value:.6g}, the samples give {recomputed.value:.6g}"
    metric = METRICS.get(recorded.metric)
    better, unit = (metric.better, metric.unit) if metric else SUMMARIES[recorded.metric][:2]
    if (recorded.better, recorded.unit) != (better, unit):
        yield (
            f"{name}: recorded {recorded.better} in {recorded.unit}, "
            f"the metric is {better} in {unit}"
        )
    if (recorded.n_scored, recorded.n_failed) != (recomputed.n_scored, recomputed.n_failed):
        yield (
            f"{name}: recorded n {recorded.n_scored}+{recorded.n_failed}, "
            "the samples give other numbers"
        )


def failures(path: Path, record: Record, folder: Folder) -> Iterator[str]:
    """A record has either values or an error, never both, never neither."""
    if record.status == "ok" and (record.error or not record.values):
        yield "status is ok, but there is an error or no value"
    if record.status == "ok" and (record.model is None or record.provenance is None):
        yield "status is ok, but it is not said which model was measured, or where"
    if record.status == "error" and (record.values or not record.error):
        yield "status is error, but there are values or no error"


def orphans(folder: Folder) -> Iterator[Finding]:
    """Samples files belong to a record."""
    known = {path.parent / r.samples.file for path, r in folder.records.items() if r.samples}
    known |= {f.path.parent / f"{f.path.stem}.samples.parquet" for f in folder.unreadable}
    for file in sorted(folder.results.root.glob("*/*/*/*/*.samples.parquet")):
        if file not in known:
            yield Finding(file, "orphans", "no record names this samples file")


CHECKS: Sequence[Check] = (
    place,
    failures,
    references,
    samples,
    questions,
    requests,
    metric_versions,
    values,
)


def validate(folder: Folder, progress: Callable[[int], None] = lambda _: None) -> list[Finding]:
    """Every finding of every check on every record; `progress` is told how many records were
    checked.
    """
    found = [*folder.unreadable, *orphans(folder)]
    for number, (path, record) in enumerate(folder.records.items(), 1):
        found += [
            Finding(path, check.__name__, m)
            for check in CHECKS
            for m in check(path, record, folder)
        ]
        progress(number)
    return found
