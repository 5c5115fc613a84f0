"""General utility as samples: one score per lm-eval item, which metrics average like any other."""

from __future__ import annotations

import numpy as np

from benchmark.evaluation.lm_eval_adapter import run_harness
from benchmark.inference.predictors import Predictor
from benchmark.metrics.sample import Sample
from benchmark.metrics.stages import HARNESS, MODEL_STAGE


def harness_samples(predictor: Predictor, group: str, limit: int | None = None) -> list[Sample]:
    """One sample per item of the group's tasks, at most `limit` per task, with the task as its
    stratum.
    """
    return [
        Sample(
            stage=MODEL_STAGE,
            split=HARNESS,
            example=f"{item.task}/{item.doc}",
            entity=f"{item.task}/{item.doc}",
            prompt=item.question,
            answer=item.answer,
            logprobs=np.zeros(0),
            correct=np.zeros(0, dtype=bool),
            generation="",
            form="",
            strata={"task": item.task},
            score=item.score,
        )
        for item in run_harness(predictor, group, limit)
    ]
