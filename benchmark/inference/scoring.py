"""The scoring pass: token log-probabilities of answers, teacher-forced, each distinct pair once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from benchmark.core.examples import Pair, Prompt
from benchmark.tokens.batches import Batch, padded, reads_trees
from benchmark.tokens.losses import answer_logits
from benchmark.tokens.prefix_tree import Encoded, tree
from benchmark.tokens.prompts import encode_pair, shared_length

BATCH_SIZE = 256
TREE_TOKENS = 768  # of a tree: attention costs the square of it


@dataclass(frozen=True)
class AnswerScores:
    """Log-probability of each answer token and whether the greedy token is the same, both (T,).

    `standardized`, of pretrained models alone, is that log-probability less the mean over the
    vocabulary, in standard deviations, both under the model's own distribution (Zhang et al. 2025,
    Min-K%++); else it is empty.
    """

    logprobs: np.ndarray
    correct: np.ndarray
    standardized: np.ndarray = field(default_factory=lambda: np.zeros(0))


def score_pairs(model, tokenizer, pairs: Sequence[Pair]) -> dict[Pair, AnswerScores]:
    """Scores of every distinct pair."""
    distinct = sorted(set(pairs), key=_by_length)
    encoded = [encode_pair(pair, tokenizer) for pair in distinct]
    return dict(zip(distinct, score_tokens(model, tokenizer, encoded), strict=True))


def _by_length(pair: Pair) -> tuple[int, Prompt, str]:
    texts = (*(text for _, text in pair.history), pair.prompt, pair.answer_prefix, pair.answer)
    return sum(map(len, texts)), pair.asked, pair.answer


@torch.inference_mode()
def score_tokens(model, tokenizer, encoded: Encoded) -> list[AnswerScores]:
    """Scores of (prompt ids, answer ids), in order; what is to be scored without prompt counts from
    its second token.

    Batches are of sequences as they come, which should be sorted by length, or trees of those that
    begin alike.
    """
    scores: dict[int, AnswerScores] = {}
    if reads_trees(model, tokenizer):
        for rows in trees_of(encoded):
            scores |= _scored(
                model, tree((), [encoded[row] for row in rows], model.device), rows, tokenizer
            )
    else:
        for start in range(0, len(encoded), BATCH_SIZE):
            rows = list(range(start, min(start + BATCH_SIZE, len(encoded))))
            batch = padded((), [encoded[row] for row in rows], tokenizer.pad_token_id, model.device)
            scores |= _scored(model, batch, rows, tokenizer)
    return [scores[row] for row in range(len(encoded))]


def trees_of(encoded: Encoded) -> Iterator[list[int]]:
    """Rows for one tree after another: neighbours in the order of their tokens, up to
    TREE_TOKENS nodes.
    """
    sequences = [prompt + answer for prompt, answer in encoded]
    rows: list[int] = []
    nodes = 0
    for row in sorted(range(len(sequences)), key=sequences.__getitem__):
        new = len(sequences[row]) - (
            shared_length(sequences[rows[-1]], sequences[row]) if rows else 0
        )
        if rows and nodes + new > TREE_TOKENS:
            yield rows
            rows, nodes, new = [], 0, len(sequences[row])
        rows.append(row)
        nodes += new
    if rows:
        yield rows


def _scored(model, batch: Batch, rows: Sequence[int], tokenizer) -> dict[int, AnswerScores]:
    targets, wanted = batch.targets, bool(tokenizer.chat_template)
    distribution = answer_logits(model, batch).float().log_softmax(-1)
    logprobs = distribution.gather(-1, targets[:, None])[:, 0]
    correct = distribution.argmax(-1) == targets
    standardized = _standardized(logprobs, distribution) if wanted else logprobs[:0]
    ends = torch.bincount(batch.rows, minlength=len(rows)).cumsum(0)[:-1].cpu().numpy()
    columns = [np.split(values.cpu().numpy(), ends) for values in (logprobs, correct)]
    spread = np.split(standardized.cpu().numpy(), ends if wanted else ends * 0)
    return {row: AnswerScores(*own) for row, *own in zip(rows, *columns, spread, strict=True)}


def _standardized(logprobs: torch.Tensor, distribution: torch.Tensor) -> torch.Tensor:
    """(N,) log-probabilities in standard deviations from their mean, from those of the
    vocabulary, (N, V).
    """
    p = distribution.exp()
    mean = (p * distribution).sum(-1)
    variance = (p * distribution.square()).sum(-1) - mean.square()
    return (logprobs - mean) / variance.clamp(min=1e-8).sqrt()
