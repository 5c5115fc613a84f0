"""Estimates how much memory the cells of a plan need, and what would fit if there is too little."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from benchmark.core.inputs import Inputs
from benchmark.core.method import Method, create
from benchmark.core.registry import method_named
from benchmark.core.updates import Updates
from benchmark.errors import BadInput
from benchmark.inference.vllm_engine import CPU_CACHE
from benchmark.inference.vllm_server import GPU_MEMORY_SHARE
from benchmark.models.memory import (
    GIBIBYTE,
    GIGABYTE,
    PROCESS,
    Load,
    Shape,
    machine_bytes,
    shape_of,
    training_bytes,
    unloaded,
    weight_bytes,
)
from benchmark.models.placement import accelerators
from benchmark.models.pretrained import PretrainedModels, recomputes
from benchmark.models.tracks import PretrainedTrack
from benchmark.pipeline.plan import Cell, Plan
from benchmark.pipeline.variant import Variant
from benchmark.training.lora import Lora

CHARACTERS_PER_TOKEN = 3.5  # English text with the tokenizers of current models
ENGINE_PROCESSES = 2  # an engine's libraries take the memory of so many processes
# The updates that take the least memory, and how a track's file spells them.
LEAST = Updates(weights="bfloat16", rounding="stochastic", states="int8", parts=4)
UPDATES = (
    f"`updates: {{weights: {LEAST.weights}, rounding: {LEAST.rounding}, states: {LEAST.states}, "
    f"parts: {LEAST.parts}}}` in the track's file"
)
ADAPTERS = "`lora: true` without attacks that train all weights"


@dataclass(frozen=True)
class Need:
    """The peak memory of a worker on a track, in bytes, and the activity that causes it; `offers`
    are the bytes of settings that take less.
    """

    track: str
    peak: int
    of: str
    offers: Mapping[str, int]

    @property
    def line(self) -> str:
        return f"{self.track}: about {_shown(self.peak)} per worker, with the peak in {self.of}"

    def remedy(self, room: float) -> str:
        """The settings that would fit into `room` bytes."""
        fitting = [(what, size) for what, size in self.offers.items() if size <= room]
        if fitting:
            return " and ".join(f"{what} takes {_shown(size)}" for what, size in fitting)
        what, size = min(self.offers.items(), key=lambda offer: offer[1])
        return f"even {what} takes {_shown(size)}: a smaller model or more memory is needed"


def needs_of(plan: Plan) -> list[Need]:
    """The largest need on each pretrained track whose model configuration is available."""
    found: dict[str, Need] = {}
    for job in plan.jobs:
        if job.measured or job.kind == "references":  # no model is loaded
            continue
        for cell in job.cells:
            need = need_of(cell, job.variant)
            if need and need.peak > getattr(found.get(need.track), "peak", 0):
                found[need.track] = need
    return list(found.values())


def require_room(plan: Plan, workers: int) -> None:
    """BadInput if a worker needs more memory, or more GPUs, than its share."""
    for track in {job.variant.track for job in plan.jobs if job.variant.track.gains_from_gpus}:
        gpus = accelerators()
        if gpus and max(1, gpus // workers) < track.updates.processes:
            raise BadInput(
                f"{track.name}: needs {track.updates.processes} GPUs per worker, found "
                f"{gpus} for {workers} workers: run with `--workers 1`"
            )
    needs = needs_of(plan)
    for need in needs:
        if need.peak > room_of(workers):
            fewer = [w for w in range(1, workers) if all(n.peak <= room_of(w) for n in needs)]
            remedy = f"`--workers {fewer[-1]}` fits" if fewer else need.remedy(room_of(workers))
            raise BadInput(
                f"{need.line}; {workers} need {_shown(need.peak * workers)} and this machine has "
                f"{_shown(machine_bytes())}: {remedy}"
            )


def room_of(workers: int) -> float:
    """The bytes available to each of several workers: its share of the machine's memory, or of the
    GPUs assigned to it.
    """
    gpus = accelerators()
    share = gpus // workers or 1 / -(-workers // gpus) if gpus else 1 / workers
    return machine_bytes() / max(gpus, 1) * share


def need_of(cell: Cell, variant: Variant) -> Need | None:
    """The memory that a cell needs; None for the small models that are trained from scratch here,
    and for models whose configuration is unknown until they are fetched.
    """
    track = variant.track
    if not isinstance(track, PretrainedTrack):
        return None
    is_reference = cell.identity.is_reference
    method = None if is_reference else create(method_named(cell.method), cell.parameters)
    shape, load = _shape(track, variant.inputs, getattr(method, "lora", False)), _load(variant)
    if shape is None:
        return None
    peak, of = max(_peaks(shape, load, variant, method, track.updates))
    return Need(track.name, peak, of, _offers(shape, load, variant, method))


def parameters_of(variant: Variant) -> int | None:
    """Number of parameters of a pretrained model; None if its configuration is not available."""
    if not isinstance(variant.track, PretrainedTrack):
        return None
    shape = _shape(variant.track, variant.inputs, False)
    return shape.parameters if shape else None


@lru_cache(maxsize=32)
def _shape(track: PretrainedTrack, inputs: Inputs, lora: Lora | bool) -> Shape | None:
    """The shape of a track's model, with adapters of these settings or, if a method has none, the
    default ones.
    """
    config = PretrainedModels(track, inputs).config()
    return shape_of(unloaded(config), lora or True) if config else None


def _load(variant: Variant) -> Load:
    """The largest batch of an unlearning step, padded to the longest example."""
    lengths = [
        len(example.pair.prompt) + len(example.pair.answer)
        for rows in variant.data.evaluated.values()
        for example in rows
    ]
    sequences = 2 * variant.budget.batch_size
    return Load(sequences, round(max(lengths, default=0) / CHARACTERS_PER_TOKEN) + 1)


def _peaks(
    shape: Shape, load: Load, variant: Variant, method: Method | None, updates: Updates
) -> Iterator[tuple[int, str]]:
    """Yields (bytes, activity) for everything that is done in a cell."""
    assert isinstance(variant.track, PretrainedTrack)
    again = recomputes(variant.track, updates, shape)
    weights, processes = weight_bytes(shape, updates), PROCESS * updates.processes
    engine = engine_bytes(weights) if variant.backend == "vllm" else 0
    yield PROCESS + 2 * weights + engine, "evaluation"
    if variant.data.documents and not variant.has_published_models:
        read = replace(load, sequences=variant.track.stage.batch_size)
        yield processes + training_bytes(shape, read, updates, again=again), "fine-tuning"
    if method is not None:
        lora = bool(getattr(method, "lora", False))
        copies = int("target" in method.sees and not lora)
        training = training_bytes(shape, load, updates, copies, lora, again)
        yield processes + training, method.name
    for attack in (attack for attack in variant.attacks if not attack.asks):
        half = replace(load, sequences=load.sequences // 2)
        trained = training_bytes(shape, half, replace(updates, processes=1), 1, again=again)
        yield PROCESS + (trained if attack.trains else 3 * weights), attack.name


def engine_bytes(weights: int) -> int:
    """The memory of an engine that generates for a model with this many bytes of weights."""
    if accelerators():
        return round(GPU_MEMORY_SHARE * machine_bytes() / accelerators())
    return ENGINE_PROCESSES * PROCESS + weights + CPU_CACHE * GIBIBYTE


def _offers(shape: Shape, load: Load, variant: Variant, method: Method | None) -> Mapping[str, int]:
    """The peaks of settings that take less memory, by their description."""
    usual = variant.track.updates
    least = replace(LEAST, processes=usual.processes)

    def peak(method: Method | None, updates: Updates, of: Variant = variant) -> int:
        return max(_peaks(shape, load, of, method, updates))[0]

    offers = {UPDATES: peak(method, least)}
    if hasattr(method, "lora") and not method.lora:  # type: ignore[union-attr]
        adapted, untrained = replace(method, lora=Lora()), _untrained(variant)  # type: ignore[type-var]
        offers[ADAPTERS] = peak(adapted, usual, untrained)
        offers[f"{UPDATES} with {ADAPTERS}"] = peak(adapted, least, untrained)
    return offers


def _untrained(variant: Variant) -> Variant:
    """The variant without the attacks that train all weights."""
    kept = tuple(attack for attack in variant.track.attacks if not attack.trains)
    return replace(variant, track=replace(variant.track, attacks=kept))


def _shown(size: int) -> str:
    return f"{size / GIGABYTE:.1f} GB"
