"""Validation: small named checks, each reporting the files that break one rule. Every value is
recomputed from its outputs, and ids and paths are derived from the identity.

A consistent forgery of outputs, record and seal goes undetected here; only running the model again
(`palimpsest replay`) reveals it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmark.errors import BadInput
from benchmark.metrics.sample import Sample
from benchmark.metrics.stages import MODEL_STAGE, ON_THE_WAY, REQUEST, sort_of
from benchmark.records.folder import Finding, Folder
from benchmark.records.identity import ORACLE, TARGET
from benchmark.records.marks import mark_findings
from benchmark.records.outputs import stage_digests
from benchmark.records.schema import Record
from benchmark.records.store import OUTPUTS_SUFFIX, inputs_path, outputs_content
from benchmark.records.value_checks import columns, metric_versions, trial, values

__all__ = ["Finding", "Folder", "validate"]

Check = Callable[[Path, Record, Folder], Iterator[str]]


def place(path: Path, record: Record, folder: Folder) -> Iterator[str]:
    """A record is at the path that its content implies."""
    right = folder.results.path_of(record)
    if path != right:
        yield f"the record belongs at {right}"


def identity(path: Path, record: Record, folder: Folder) -> Iterator[str]:
    """The ids of a record and its shards are the hashes of its identity and recipes."""
    if record.id != record.identity.id:
        yield f"the id is {record.id}, but the identity hashes to {record.identity.id}"
    for stage, shard in record.shards.items():
        if shard.recipe and sort_of(stage) in ON_THE_WAY:
            yield f"the outputs of {stage} have a recipe, which intermediate stages cannot have"
        right = record.evaluation.shard_id(record.identity.id, stage, shard.recipe)
        if shard.id != right:
            yield f"the outputs of {stage} have the id {shard.id}, but their recipe gives {right}"


def seal(path: Path, record: Record, folder: Folder) -> Iterator[str]:
    """A record has not been changed since it was written."""
    if record.seal != record.digest:
        yield f"the seal is {record.seal or 'missing'}, but the content hashes to {record.digest}"


def status(path: Path, record: Record, folder: Folder) -> Iterator[str]:
    """A record has either values or an error; only trials have values without outputs."""
    if record.status == "error":
        results = record.values or record.shards or record.outputs or record.trial
        if results or not record.error:
            yield "status is error, but the record has values or outputs, or no error"
        return
    if record.error or not record.values:
        yield "status is ok, but the record has an error or no values"
    if MODEL_STAGE not in record.shards:
        yield f"a successful record must have outputs of the stage {MODEL_STAGE}"
    if record.is_trial and (record.outputs or not record.trial):
        yield "a trial must have values and a score, and no outputs"
    if not record.is_trial and (record.trial or not record.outputs):
        yield "a successful record must have outputs, and no trial score"


def references(path: Path, record: Record, folder: Folder) -> Iterator[str]:
    """A record names its target and at least two oracles; they exist, succeeded, and share its
    variant, data and recipe.
    """
    if record.status == "error":
        return
    named = record.references
    if named is None:
        yield "a successful record must name its target and oracles"
        return
    if len(set(named.oracles)) < 2 or len(set(named.oracles)) < len(named.oracles):
        yield f"at least two different oracles are needed, found {len(set(named.oracles))}"
    if record.method.name == TARGET and named.target != record.id:
        yield "a target must reference itself, this one references another target"
    if record.method.name == ORACLE and record.id not in named.oracles:
        yield "an oracle must be among its own oracles, this one is not"
    for role, record_id in [(TARGET, named.target), *((ORACLE, i) for i in named.oracles)]:
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
        for what, value, expected in _compared(record, other):
            if value != expected:
                yield f"its {role} {record_id} has another {what}"


def _compared(record: Record, other: Record) -> Iterator[tuple[str, object, object]]:
    """Yields (name, own value, the reference's value) of all fields in which the two must agree."""
    for name in ("track", "task", "precision", "settings", "training", "budget"):
        yield name, getattr(record.identity, name), getattr(other.identity, name)
    yield "evaluation", record.evaluation, other.evaluation
    if record.references and other.references:
        yield "proxy", record.references.proxy, other.references.proxy
    own, theirs = _recipes(record), _recipes(other)
    if record.identity.is_trial:  # a trial may lack stages of its references
        theirs = {stage: recipe for stage, recipe in theirs.items() if stage in own}
    yield "stage or attack", own, theirs


def _recipes(record: Record) -> dict[str, dict]:
    """The recipe of each stage except those of intermediate checkpoints."""
    stages = record.shards.items()
    return {stage: s.recipe for stage, s in stages if sort_of(stage) not in ON_THE_WAY}


def models(path: Path, record: Record, folder: Folder) -> Iterator[str]:
    """A method starts from its target's model; oracles are distinct models other than the
    target's, unless they are proxies; and no method has the outputs of an oracle.
    """
    target, named = folder.target_of(record), record.references
    if record.status != "ok" or target is None or named is None:
        return
    same = record.identity.models == target.identity.models
    if record.method.name == ORACLE and same != named.proxy:
        kind = "a proxy is" if named.proxy else "an oracle is not"
        yield f"{kind} the target's model, this one is{'' if same else ' not'}"
    if record.method.name != ORACLE and not same:
        yield "it starts from another model than its target"
    others = [folder.by_id[i][1] for i in named.oracles if i in folder.by_id]
    distinct = {tuple(oracle.identity.models) for oracle in others}
    if len(distinct) < len(others) and not named.proxy:
        yield "two of its oracles are the same model"
    if record.identity.is_reference:
        return
    for record_id in named.oracles:
        oracle = folder.by_id.get(record_id)
        if oracle and _final_digest(record) == _final_digest(oracle[1]):
            yield f"its outputs are those of the oracle {record_id}"


def _final_digest(record: Record) -> str | None:
    """The digest of the final model's outputs; None for a failed cell."""
    shard = record.shards.get(MODEL_STAGE)
    return shard.digest if shard else None


def outputs(path: Path, record: Record, folder: Folder) -> Iterator[str]:
    """The outputs and inputs files exist with the recorded hashes, and the inputs are the
    target's, except for proxies.
    """
    if not record.outputs:
        return
    try:
        outputs_content(path, record)
    except BadInput as error:
        yield str(error)
        return
    target = folder.target_of(record)
    of_target = target.outputs if target and not _is_proxy(record) else None
    if of_target and record.outputs.inputs != of_target.inputs:
        yield "its inputs differ from its target's"


def _is_proxy(record: Record) -> bool:
    """Whether the record is a proxy oracle, which is asked about nonexistent subjects."""
    return bool(record.references and record.references.proxy and record.method.name == ORACLE)


def shards(path: Path, record: Record, folder: Folder) -> Iterator[str]:
    """The outputs of each stage have the recorded number of rows and digest."""
    if not record.outputs:
        return
    try:
        stored = stage_digests(folder.samples(record.id))
    except BadInput as error:
        yield str(error)
        return
    recorded = {stage: (shard.rows, shard.digest) for stage, shard in record.shards.items()}
    for stage in sorted(stored.keys() | recorded.keys()):
        if stored.get(stage) != recorded.get(stage):
            yield f"the outputs of {stage} do not match their recorded digest"


def questions(path: Path, record: Record, folder: Folder) -> Iterator[str]:
    """A record has the same examples as its target, each exactly once per stage."""
    if not record.outputs or record.references is None:
        return
    others = _is_proxy(record)
    try:
        samples = folder.samples(record.id)
        target_samples = folder.samples(record.references.target)
        asked, expected = (_questions(s, others) for s in (samples, target_samples))
    except (BadInput, KeyError):
        return  # reported by the checks of outputs and references
    names = [(s.stage, s.split, s.example) for s in samples]
    if len(set(names)) < len(names):
        yield f"{len(names) - len(set(names))} examples are counted twice"
    keys = asked.keys() | expected.keys()
    different = sorted(k for k in keys if asked.get(k) != expected.get(k))
    if different:
        first = "/".join(different[0])
        yield f"{len(different)} examples differ from the target's, first {first}"


def _questions(samples: Sequence[Sample], proxy: bool) -> dict[tuple[str, str, str], tuple]:
    """Inputs of the final model and under attack, by (stage, split, example)."""
    return {
        (s.stage, s.split, s.example): _question(s, proxy and s.split == "forget")
        for s in samples
        if sort_of(s.stage) not in ON_THE_WAY
    }


def _question(sample: Sample, other_subject: bool) -> tuple:
    """The inputs of a sample; for a proxy's forget example, only its entity and strata."""
    whom = (sample.entity, sample.strata)
    asked = (sample.history, sample.prompt, sample.answer_prefix, sample.answer, sample.aliases)
    return whom if other_subject else (*whom, *asked)


def requests(path: Path, record: Record, folder: Folder) -> Iterator[str]:
    """A record is evaluated after the same intermediate requests as its oracles."""
    if record.status != "ok" or record.references is None or record.method.name == TARGET:
        return
    if record.is_trial:
        return  # trials do not record intermediate stages
    stages = _requests_of(record)
    oracles = [folder.by_id.get(i) for i in record.references.oracles]
    of_oracles = [_requests_of(oracle[1]) for oracle in oracles if oracle]
    if any(other != stages for other in of_oracles):
        yield (
            f"it was evaluated after {len(stages)} intermediate requests, "
            f"an oracle after {max(map(len, of_oracles))}"
        )


def _requests_of(record: Record) -> set[str]:
    return {stage for stage in record.shards if sort_of(stage) == REQUEST}


def orphans(folder: Folder) -> Iterator[Finding]:
    """Every parquet file belongs to a record."""
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
    *(requests, metric_versions, columns, trial),
)
THOROUGH: Sequence[Check] = (shards, questions, values)


def validate(
    folder: Folder, progress: Callable[[int], None] = lambda _: None, recompute: bool = True
) -> list[Finding]:
    """The findings of all checks on all records; `progress` is called with the number of records
    checked so far.

    Without `recompute`, records get only the QUICK checks, which compare outputs with hashes alone.
    """
    findings = [*folder.unreadable, *orphans(folder), *mark_findings(folder)]
    checks = (*QUICK, *(THOROUGH if recompute else ()))
    for number, (path, record) in enumerate(folder.records.items(), 1):
        findings += [
            Finding(path, check.__name__, message)
            for check in checks
            for message in check(path, record, folder)
        ]
        progress(number)
    return findings
