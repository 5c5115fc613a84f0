"""Validation: small named checks that say which file breaks which rule; every value is recomputed
from its outputs, and what is shown of a cell is derived from its identity.

A file of outputs that was forged consistently, record and seal with it, is not found here: that
takes the model (`palimpsest replay`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pandas as pd

from benchmark.errors import BadInput
from benchmark.metrics.sample import Sample
from benchmark.metrics.stages import MODEL_STAGE, ON_THE_WAY, REQUEST, sort_of
from benchmark.metrics.values import ALL, Value, metric_values
from benchmark.records.frames import read_frame
from benchmark.records.identity import ORACLE, TARGET
from benchmark.records.outputs import stage_digests
from benchmark.records.schema import Record
from benchmark.records.store import (
    OUTPUTS_SUFFIX,
    ResultStore,
    inputs_path,
    outputs_content,
    read_record,
    read_samples,
)
from benchmark.records.values import MetricValue, about

TOLERANCE = 1e-5  # of values, relative: they are recorded to six digits
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

    def target_of(self, record: Record) -> Record | None:
        """The record of its target, if there is one."""
        found = self.by_id.get(record.references.target) if record.references else None
        return found[1] if found else None


Check = Callable[[Path, Record, Folder], Iterator[str]]


def place(path: Path, record: Record, folder: Folder) -> Iterator[str]:
    """A record lies where its content says."""
    right = folder.results.path_of(record)
    if path != right:
        yield f"the record belongs at {right}"


def identity(path: Path, record: Record, folder: Folder) -> Iterator[str]:
    """The ids of a record and of its shards are those of what it says of the cell."""
    if record.id != record.identity.id:
        yield f"the id is {record.id}, the identity's is {record.identity.id}"
    for stage, shard in record.shards.items():
        right = record.evaluation.shard_id(record.identity.id, stage, shard.recipe)
        if shard.id != right:
            yield f"the outputs of {stage} have the id {shard.id}, their recipe's is {right}"


def seal(path: Path, record: Record, folder: Folder) -> Iterator[str]:
    """Nothing in a record was changed after it was written."""
    if record.seal != record.digest:
        yield f"the seal is {record.seal or 'missing'}, the content's is {record.digest}"


def status(path: Path, record: Record, folder: Folder) -> Iterator[str]:
    """A record has either values or an error, never both, never neither; trials alone have no
    outputs.
    """
    if record.status == "error":
        if record.values or record.shards or record.outputs or not record.error:
            yield "status is error, but there are values or outputs, or no error"
        return
    if record.error or not record.values:
        yield "status is ok, but there is an error or no value"
    if MODEL_STAGE not in record.shards:
        yield f"a successful record must have outputs of the stage {MODEL_STAGE}"
    if record.is_trial and (record.outputs or not record.trial):
        yield "a trial keeps its values and score alone, and no outputs"
    if not record.is_trial and not record.outputs:
        yield "a successful record must have outputs"


def references(path: Path, record: Record, folder: Folder) -> Iterator[str]:
    """Target and oracles are there, succeeded, and are of the same variant, data and recipe."""
    if record.status == "error":
        return
    told = record.references
    if told is None:
        yield "a successful record must name its target and oracles"
        return
    if len(set(told.oracles)) < 2 or len(set(told.oracles)) < len(told.oracles):
        yield f"at least two different oracles are needed, found {len(set(told.oracles))}"
    if record.method.name == TARGET and told.target != record.id:
        yield "a target is its own, this one names another"
    if record.method.name == ORACLE and record.id not in told.oracles:
        yield "an oracle is one of its variant's, this one names others alone"
    for role, record_id in [(TARGET, told.target), *((ORACLE, i) for i in told.oracles)]:
        if record_id not in folder.by_id:
            yield f"its {role} {record_id} is missing"
            continue
        other = folder.by_id[record_id][1]
        if other.method.name != role or other.status != "ok":
            yield (
                f"its {role} {record_id} is a record of {other.method.name} "
                f"with status {other.status}"
            )
            continue
        for what, own, others in _compared(record, other):
            if own != others:
                yield f"its {role} {record_id} has another {what}"


def _compared(record: Record, other: Record) -> Iterator[tuple[str, object, object]]:
    """(name, own, the reference's) of all that a record shares with each of its references."""
    for name in ("track", "task", "precision", "settings", "training", "budget"):
        yield name, getattr(record.identity, name), getattr(other.identity, name)
    yield "evaluation", record.evaluation, other.evaluation
    if record.references and other.references:
        yield "proxy", record.references.proxy, other.references.proxy
    yield "stage or attack", _recipes(record), _recipes(other)


def _recipes(record: Record) -> dict[str, dict]:
    """What is special about each stage that every record of a variant has."""
    stages = record.shards.items()
    return {stage: s.recipe for stage, s in stages if sort_of(stage) not in ON_THE_WAY}


def models(path: Path, record: Record, folder: Folder) -> Iterator[str]:
    """A method starts from its target's model, and no oracle but a proxy is the target's model."""
    target, told = folder.target_of(record), record.references
    if record.status != "ok" or target is None or told is None:
        return
    same = record.identity.models == target.identity.models
    if record.method.name == ORACLE and same != told.proxy:
        kind = "a proxy is" if told.proxy else "an oracle is not"
        yield f"{kind} the target's model, this one is{'' if same else ' not'}"
    if record.method.name != ORACLE and not same:
        yield "it starts from another model than its target"
    if record.identity.is_reference:
        return
    for record_id in told.oracles:
        oracle = folder.by_id.get(record_id)
        own = record.shards.get(MODEL_STAGE)
        if oracle and own and own.digest == oracle[1].shards[MODEL_STAGE].digest:
            yield f"its outputs are those of the oracle {record_id}"


def outputs(path: Path, record: Record, folder: Folder) -> Iterator[str]:
    """The files of outputs and inputs are there with the recorded hashes, and the inputs are the
    target's.
    """
    if not record.outputs:
        return
    try:
        outputs_content(path, record)
    except BadInput as error:
        yield str(error)
        return
    target = folder.target_of(record)
    asked = target.outputs if target and not _is_proxy(record) else None
    if asked and record.outputs.inputs != asked.inputs:
        yield "it was asked something else than its target"


def _is_proxy(record: Record) -> bool:
    """Whether it was asked about other subjects than its target."""
    return bool(record.references and record.references.proxy and record.method.name == ORACLE)


def shards(path: Path, record: Record, folder: Folder) -> Iterator[str]:
    """The outputs of each stage have the recorded number of rows and digest."""
    if not record.outputs:
        return
    try:
        found = stage_digests(folder.samples(record.id))
    except BadInput as error:
        yield str(error)
        return
    known = {stage: (shard.rows, shard.digest) for stage, shard in record.shards.items()}
    for stage in sorted(found.keys() | known.keys()):
        if found.get(stage) != known.get(stage):
            yield f"the outputs of {stage} are not the recorded ones"


def questions(path: Path, record: Record, folder: Folder) -> Iterator[str]:
    """A result is measured on the very examples that its target was measured on."""
    if not record.outputs or record.references is None:
        return
    others = _is_proxy(record)
    try:
        own, target = (
            {
                (s.stage, s.split, s.example): _question(s, others and s.split == "forget")
                for s in folder.samples(i)
                if sort_of(s.stage) not in ON_THE_WAY
            }
            for i in (record.id, record.references.target)
        )
    except (BadInput, KeyError):
        return  # reported by the checks of outputs and references
    different = sorted(k for k in own.keys() | target.keys() if own.get(k) != target.get(k))
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
    own = _requests_of(record)
    found = [folder.by_id.get(i) for i in record.references.oracles]
    others = [_requests_of(oracle[1]) for oracle in found if oracle]
    if any(other != own for other in others):
        yield (
            f"it was looked at after {len(own)} requests on the way, "
            f"an oracle after {max(map(len, others))}"
        )


def _requests_of(record: Record) -> set[str]:
    return {stage for stage in record.shards if sort_of(stage) == REQUEST}


def metric_versions(path: Path, record: Record, folder: Folder) -> Iterator[str]:
    """Values were computed by the metrics' present versions."""
    for name, version in record.metrics.items():
        try:
            present = about(name)[2]
        except KeyError:
            yield f"there is no metric {name}"
            continue
        if version != present:
            yield (
                f"{name} is of version {version}, this version computes {present}; "
                "`palimpsest rescore` computes values anew"
            )


def columns(path: Path, record: Record, folder: Folder) -> Iterator[str]:
    """Tables of values have a number for each stratum, and a trial has no other than `all`."""
    named: set[str] = set()
    for stage, splits in record.values.items():
        for split, table in splits.items():
            named |= table.values.keys()
            lengths = {len(table.n), *map(len, table.values.values())}
            lengths |= set(map(len, table.failed.values()))
            if lengths != {len(set(table.strata))} or len(set(table.strata)) < len(table.strata):
                yield f"{stage}/{split}: strata and columns do not fit"
            if record.is_trial and table.strata != [ALL]:
                yield f"{stage}/{split}: a trial keeps values of all examples alone"
    if named != record.metrics.keys():
        yield "the versions are not those of the metrics that have values"


def values(path: Path, record: Record, folder: Folder) -> Iterator[str]:
    """Every recorded value is recomputed from the outputs, and nothing is missing or added."""
    if not record.outputs or record.references is None:
        return
    try:
        others = [folder.frame(i) for i in record.references.oracles if i != record.id]
        fresh = metric_values(folder.frame(record.id), others)
        recorded = {(v.stage, v.split, v.metric, v.stratum): v for v in record.value_rows()}
    except (BadInput, KeyError, ValueError):
        return  # reported by the checks of outputs, references, versions and columns
    recomputed = {(v.stage, v.split, v.metric, v.stratum): v for v in fresh}
    yield from _differences(recorded, recomputed)


Key = tuple[str, str, str, str]


def _differences(
    recorded: Mapping[Key, MetricValue], recomputed: Mapping[Key, Value]
) -> Iterator[str]:
    for key in sorted(recomputed.keys() ^ recorded.keys()):
        state = "missing" if key in recomputed else "not a value of this version"
        yield f"{'/'.join(key)} is {state}"
    for key in sorted(recomputed.keys() & recorded.keys()):
        name, told, found = "/".join(key), recorded[key], recomputed[key]
        if not _same(told.value, found.value):
            yield f"{name}: recorded {told.value:.6g}, the outputs give {found.value:.6g}"
        if (told.n_scored, told.n_failed) != (found.n_scored, found.n_failed):
            yield (
                f"{name}: recorded n {told.n_scored}+{told.n_failed}, "
                "the outputs give other numbers"
            )


def _same(one: float, other: float) -> bool:
    both_nan = math.isnan(one) and math.isnan(other)
    return both_nan or math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=1e-12)


def orphans(folder: Folder) -> Iterator[Finding]:
    """Files of outputs and inputs belong to a record."""
    root = folder.results.root
    stored = [(path, record) for path, record in folder.records.items() if record.outputs]
    known = {path.with_suffix(OUTPUTS_SUFFIX) for path, _ in stored}
    known |= {inputs_path(path, record) for path, record in stored}
    known |= {f.path.with_suffix(OUTPUTS_SUFFIX) for f in folder.unreadable}
    for file in sorted(root.rglob("*.parquet")):
        if file not in known:
            yield Finding(file, "orphans", "no record names this file")


QUICK: Sequence[Check] = (
    *(place, identity, seal, status, references, models, outputs),
    *(requests, metric_versions, columns),
)
THOROUGH: Sequence[Check] = (shards, questions, values)


def validate(
    folder: Folder, progress: Callable[[int], None] = lambda _: None, recompute: bool = True
) -> list[Finding]:
    """Every finding of every check on every record; `progress` is told how many records were
    checked.

    Without `recompute` outputs are compared with their recorded hashes alone, which is quick.
    """
    found = [*folder.unreadable, *orphans(folder)]
    checks = (*QUICK, *(THOROUGH if recompute else ()))
    for number, (path, record) in enumerate(folder.records.items(), 1):
        found += [
            Finding(path, check.__name__, message)
            for check in checks
            for message in check(path, record, folder)
        ]
        progress(number)
    return found
