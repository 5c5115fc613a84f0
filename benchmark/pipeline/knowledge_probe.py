"""Knowledge probes: what a pretrained model knows of a task's candidates, measured once and stored
for plans to read.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from benchmark.core.examples import Example, pair_of
from benchmark.core.inputs import Inputs
from benchmark.core.registry import task_named
from benchmark.data.knowledge import Knowledge
from benchmark.errors import BadInput
from benchmark.evaluation.outputs import prompts_of
from benchmark.inference.predictors import ModelPredictor
from benchmark.metrics.generation import contains_answer
from benchmark.metrics.probability import normalized_probability
from benchmark.models import PretrainedModels
from benchmark.models.placement import free_gpus
from benchmark.models.tracks import PretrainedTrack, track_named
from benchmark.records.store import write_atomically

CHUNK = 128  # candidates between two calls of `progress`


def probe_knowledge(
    task: str, track: str, inputs: Inputs, progress: Callable[[int, int], None]
) -> Path:
    """Probes the track's model on all candidates of a task and writes what it knows; returns the
    file.

    `progress` is called with the number of candidates done and their total. BadInput if the task
    needs no knowledge probe on this track.
    """
    definition, pretrained = task_named(task), track_named(track, inputs.track_file)
    candidates = definition().candidates()
    if not candidates or not isinstance(pretrained, PretrainedTrack):
        raise BadInput(f"probe: {task} on {track} does not depend on the model's knowledge")
    models = PretrainedModels(pretrained.on(definition), inputs)
    model, tokenizer = models.load(models.base())
    predictor = ModelPredictor(model, tokenizer)
    probed: dict[str, Knowledge] = {}
    for start in range(0, len(candidates), CHUNK):
        probed |= knowledge(predictor, candidates[start : start + CHUNK], definition.max_new_tokens)
        progress(min(start + CHUNK, len(candidates)), len(candidates))
    path = models.data_source.knowledge_file(task)
    write_atomically(path, _csv(probed).encode())
    del model, predictor
    free_gpus()  # the workers of a run that probes first need the memory
    return path


@torch.inference_mode()
def knowledge(
    predictor: ModelPredictor, examples: Sequence[Example], max_new_tokens: int
) -> dict[str, Knowledge]:
    """What a predictor knows of each example, averaged over its training and held-out wordings."""
    asked = {e.id: [pair_of(prompt, e.answer) for prompt in prompts_of(e)] for e in examples}
    scores = predictor.score([pair for pairs in asked.values() for pair in pairs])
    said = predictor.generate(
        [pair.asked for pairs in asked.values() for pair in pairs], max_new_tokens
    )
    return {
        e.id: Knowledge(
            float(
                np.mean(
                    [contains_answer(said[pair.asked], e.answer, e.aliases) for pair in asked[e.id]]
                )
            ),
            float(np.mean([normalized_probability(scores[pair].logprobs) for pair in asked[e.id]])),
        )
        for e in examples
    }


def _csv(probed: dict[str, Knowledge]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["id", "generated", "probability"])
    writer.writerows(
        [name, f"{known.generated:.3f}", f"{known.probability:.4f}"]
        for name, known in probed.items()
    )
    return text.getvalue()
