"""The scoring pass: token log-probabilities of answers, teacher-forced, each distinct pair once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from benchmark.data import Pair
from benchmark.training.sequences import IGNORED, answer_logits, collate

BATCH_SIZE = 256


@dataclass(frozen=True)
class AnswerScores:
    """Log-probability of each answer token and whether the greedy token is the same, both (T,)."""

    logprobs: np.ndarray
    correct: np.ndarray


@torch.inference_mode()
def score_pairs(model, tokenizer, pairs: Sequence[Pair]) -> dict[Pair, AnswerScores]:
    """Scores of every distinct pair, computed in batches of similar length."""
    distinct = sorted(set(pairs), key=lambda p: (len(p.prompt) + len(p.answer), p.prompt, p.answer))
    scores: dict[Pair, AnswerScores] = {}
    for start in range(0, len(distinct), BATCH_SIZE):
        scores.update(_score_batch(model, tokenizer, distinct[start : start + BATCH_SIZE]))
    return scores


def _score_batch(model, tokenizer, pairs: Sequence[Pair]) -> dict[Pair, AnswerScores]:
    batch = collate(pairs, tokenizer, model.device)
    logits, where = answer_logits(model, batch)
    labels = batch.labels[:, 1:][where]
    assert (labels != IGNORED).all()
    logprobs = logits.float().log_softmax(-1).gather(-1, labels[:, None])[:, 0]
    correct = logits.argmax(-1) == labels
    ends = where.sum(1).cumsum(0)[:-1].cpu().numpy()
    parts = zip(np.split(logprobs.cpu().numpy(), ends), np.split(correct.cpu().numpy(), ends), strict=True)
    return {pair: AnswerScores(lp, ok) for pair, (lp, ok) in zip(pairs, parts, strict=True)}
