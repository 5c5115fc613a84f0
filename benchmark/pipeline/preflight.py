"""Checks before a run that the models a user names can do what the plan asks of them."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec

from transformers.utils.logging import disable_progress_bar

from benchmark.core.examples import to_examples
from benchmark.errors import BadInput
from benchmark.evaluation.lengths import positions_needed, refuse_too_long, tokens_of
from benchmark.inference.predictors import longest_sequence
from benchmark.models.placement import free_gpus
from benchmark.models.pretrained import PretrainedModels
from benchmark.models.tracks import PretrainedTrack, Track
from benchmark.pipeline.plan import Plan
from benchmark.pipeline.variant import Variant
from benchmark.training.optimizers import TORCHAO


def require_fit(plan: Plan) -> None:
    """BadInput if a model is broken, cannot be scored, or has too few positions for the examples of
    a variant, or if a package that its track needs is not installed.

    Only models from a folder or a hub are checked: the packaged one is known to fit, and its
    conversion is a job.
    """
    variants: dict[Track, dict[str, Variant]] = {}
    for job in plan.jobs:
        variants.setdefault(job.variant.track, {})[job.variant.name] = job.variant
    for track, by_name in variants.items():
        if isinstance(track, PretrainedTrack):
            if track.updates.states == "int8" and not find_spec("torchao"):
                raise BadInput(f"track {track.name}: {TORCHAO}")
            models = PretrainedModels(track, next(iter(by_name.values())).inputs)
            if models.source.kind != "package":
                _require_fit(models, by_name.values())


def _require_fit(models: PretrainedModels, variants: Iterable[Variant]) -> None:
    disable_progress_bar()  # for reading weights: the run shows its own
    model, tokenizer = models.load(models.base())
    del model
    free_gpus()  # the workers need the memory
    for variant in variants:
        needed = _positions_needed(tokenizer, variant)
        longest = longest_sequence(tokenizer, variant.backend)
        refuse_too_long(f"{models.track.spec}: {variant.name}", longest, needed)


def _positions_needed(tokenizer, variant: Variant) -> dict[str, int]:
    """The number of positions that each evaluated example and each training example needs, by
    description.
    """
    data = variant.data
    needed = positions_needed(tokenizer, data.evaluated, variant.generation)
    for number, proxy in enumerate(data.proxies, 1):
        lengths = positions_needed(tokenizer, {"forget": to_examples(proxy)}, variant.generation)
        needed |= {f"proxy {number}: {name}": tokens for name, tokens in lengths.items()}
    for attack in (attack for attack in variant.attacks if attack.asks):
        probes = {attack.name: attack.scored(data.examples("forget"))}
        needed |= positions_needed(tokenizer, probes, attack.generation(variant.generation))
    pairs = [document.pair for document in data.documents]
    for rows in (data.retain_pool, data.forget_pool):
        pairs += [e.pair for e in to_examples(rows)] if rows is not None else []
    for number, pair in enumerate(pairs, 1):  # numbered because texts may begin alike
        needed[f"training example {number}: {(pair.prompt or pair.answer)[:60]!r}"] = tokens_of(
            tokenizer, pair
        )
    return needed
