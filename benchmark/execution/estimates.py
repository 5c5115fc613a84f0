"""Estimates of how long jobs take, from existing records or else from times measured on a two-core
machine.
"""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median

from benchmark.core.registry import method_named
from benchmark.models.placement import accelerators
from benchmark.models.tracks import ControlledTrack
from benchmark.pipeline.memory import parameters_of
from benchmark.pipeline.plan import Job
from benchmark.pipeline.variant import Variant
from benchmark.records.identity import TARGET
from benchmark.records.schema import UNLEARN, Record

# Seconds on one core if there is no record: for models of 0.93M parameters trained here, where a
# quarter of the time (FIXED) does not grow with size, and for SmolLM2-135M, whose tasks differ in
# size. On GPUs, the time of models trained here is dominated by the overhead of each step up to
# MATCHED parameters, and pretrained models run GPU_TIMES as fast (both are guesses, not measured).
WORLD_SECONDS = {"base": 50.0, "model": 20.0, "reference": 8.0, "cell": 10.0}
MEASURED, FIXED, MATCHED = 930_688, 0.25, 50_000_000
SMOLLM2, GPU_TIMES = 134_515_008, 50
FETCHING_SECONDS, SECONDS_PER_READ, WRITING_SECONDS = 30.0, 0.5, 1.0
SECONDS_PER_STEP, SECONDS_PER_EXAMPLE, SECONDS_PER_NEW_TOKEN = 2.1, 0.25, 0.015
REFERENCE_SHARE = 0.7  # time of an oracle relative to a target
ON_THE_WAY = ("course", "requests")  # stages that are repeated whenever the method is rerun


class Estimates:
    """Median seconds of jobs of the same kind, track and task, and for cells also method; a cell
    that lacks some stages takes the time of unlearning and of these stages.
    """

    def __init__(self, records: Iterable[Record]) -> None:
        self._seen: dict[tuple[str, str, str], list[float]] = {}
        for record in records:
            if record.status == "ok":
                self._learn(record)

    def _learn(self, record: Record) -> None:
        name, track, task = record.method.name, record.track, record.task.name
        spent = sum(record.provenance.cost.seconds.values())
        if record.identity.is_reference:
            made = record.provenance.made
            if "seconds" in made:
                self._add(("model", track, task), float(made["seconds"]))
            self._add(("reference", track, task), spent)
        else:
            self._add(("cell", track, f"{task} {name}"), spent)
            for stage, seconds in record.provenance.cost.seconds.items():
                self._add((stage, track, f"{task} {name}"), seconds)

    def _add(self, key: tuple[str, str, str], seconds: float) -> None:
        self._seen.setdefault(key, []).append(seconds)

    def seconds(self, job: Job) -> float:
        """Estimated seconds of one job on one worker."""
        if job.kind == "references" or job.measured:
            return WRITING_SECONDS
        task = job.variant.task
        name = f"{task} {job.cells[0].method_name}" if job.kind == "cell" else task
        kinds = (UNLEARN, *job.lacking) if job.lacking else (job.kind,)
        known = [self._median(job, kind, name) for kind in kinds]
        if None in known:
            whole = self._median(job, job.kind, name)
            return _default(job) if whole is None else whole
        again = [self._median(job, stage, name) for stage in ON_THE_WAY] if job.lacking else []
        return sum(seconds for seconds in (*known, *again) if seconds)

    def _median(self, job: Job, kind: str, name: str) -> float | None:
        seen = self._seen.get((kind, job.variant.track.name, name))
        return median(seen) if seen else None

    def total(self, jobs: Iterable[Job], workers: int) -> float:
        """Estimated wall time of all jobs, in seconds."""
        return wall_seconds([(job, self.seconds(job)) for job in jobs], workers)


def wall_seconds(estimated: Iterable[tuple[Job, float]], workers: int) -> float:
    """Wall time of (job, seconds): base models run one by one, the rest in parallel."""
    return sum(s if job.kind == "base" else s / max(1, workers) for job, s in estimated)


def _default(job: Job) -> float:
    variant = job.variant
    if isinstance(variant.track, ControlledTrack):
        return WORLD_SECONDS[job.kind] * _times_as_long(variant.track)
    if job.kind == "base" or (job.kind == "model" and variant.has_published_models):
        return FETCHING_SECONDS
    return _of_smollm2(job) * _times_smollm2(variant)


def _times_smollm2(variant: Variant) -> float:
    """Time of a pretrained model relative to SmolLM2-135M on one core."""
    times = (parameters_of(variant) or SMOLLM2) / SMOLLM2
    return times / GPU_TIMES if accelerators() else times


def _of_smollm2(job: Job) -> float:
    variant = job.variant
    assert not isinstance(variant.track, ControlledTrack)
    if job.kind == "model":
        return _training(variant, variant.track.stage.epochs)
    each = SECONDS_PER_EXAMPLE + SECONDS_PER_NEW_TOKEN * variant.definition.max_new_tokens
    asked = each * sum(map(len, variant.data.splits.values()))
    if job.kind == "reference":
        return asked if job.cells[0].method == TARGET else asked * REFERENCE_SHARE
    cell = job.cells[0]
    if "training" not in method_named(cell.method).sees:
        return asked + SECONDS_PER_STEP * variant.budget.steps
    epochs = cell.identity.method.parameters.get("epochs", variant.track.stage.epochs)
    return asked + _training(variant, float(epochs))


def _times_as_long(track: ControlledTrack) -> float:
    """Time of a job on a track relative to `controlled-1m`."""
    if track.gains_from_gpus and accelerators():
        return 1 + track.parameters / MATCHED
    return FIXED + (1 - FIXED) * track.parameters / MEASURED


def _training(variant: Variant, epochs: float) -> float:
    """Seconds to fine-tune a model on the variant's documents."""
    return SECONDS_PER_READ * sum(
        epochs if d.reads is None else d.reads for d in variant.documents(0)
    )


def clock(seconds: float) -> str:
    """`4 min 05 s`, `2 h 10 min` or `12 s`."""
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 60} min {whole % 60:02d} s" if whole >= 60 else f"{whole} s"
