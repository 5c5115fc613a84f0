"""The scoring pass: teacher-forced token log-probabilities of answers, once per distinct pair."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from benchmark.core.examples import Pair, Prompt
from benchmark.tokens.batches import Batch, padded, reads_trees
from benchmark.tokens.losses import answer_logits
from benchmark.tokens.prefix_tree import Encoded, tree
from benchmark.tokens.profile import profile_of
from benchmark.tokens.prompts import encode_pair, shared_length

BATCH_SIZE = 256
TREE_TOKENS = 768  # per tree: the cost of attention grows with its square
TRANSFORMED_TOKENS = 1024  # per batch whose logits are kept at every position
CACHED = 800_000  # log-probabilities computed at once on a CPU, so that they fit in its cache
RULED_OUT = -100.0  # log-probability in nats, at least, of tokens that a transform rules out
# Maps tokens (B, L) and the logits (B, K, V) that follow the last K of them to new logits.
Transform = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class AnswerScores:
    """Log-probability of each answer token and whether it is the greedy token, both (T,).

    `standardized`, if the profile asks for it, is that log-probability minus the mean over the
    vocabulary, divided by the standard deviation, both under the model's own distribution (Zhang et
    al. 2025, Min-K%++); otherwise it is empty.
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
    """Scores of (prompt ids, answer ids) pairs, in order; a sequence without a prompt is scored
    from its second token.

    Batches are prefix trees of sequences with common beginnings if the model and profile allow it,
    otherwise consecutive sequences, which should be sorted by length.
    """
    scores: dict[int, AnswerScores] = {}
    if reads_trees(model, tokenizer):
        for rows in trees_of(encoded):
            batch: Batch = tree((), [encoded[row] for row in rows], model.device)
            scores |= _scored(answer_logits(model, batch), batch, rows, tokenizer)
    else:
        for start in range(0, len(encoded), BATCH_SIZE):
            rows = list(range(start, min(start + BATCH_SIZE, len(encoded))))
            batch = padded((), [encoded[row] for row in rows], tokenizer.pad_token_id, model.device)
            scores |= _scored(answer_logits(model, batch), batch, rows, tokenizer)
    return [scores[row] for row in range(len(encoded))]


@torch.inference_mode()
def score_transformed(
    model, tokenizer, encoded: Encoded, transform: Transform
) -> list[AnswerScores]:
    """`score_tokens` with logits that are transformed before each token is chosen.

    FloatingPointError if the transform returns NaN.
    """
    scores: dict[int, AnswerScores] = {}
    for rows in _similar(encoded):
        sequences = [encoded[row] for row in rows]
        batch = padded((), sequences, tokenizer.pad_token_id, model.device)
        logits = model(**batch.inputs, use_cache=False).logits.float()
        known = transform(batch.input_ids, logits).log_softmax(-1).clamp(min=RULED_OUT)
        if known.isnan().any():
            raise FloatingPointError("the transformed logits are NaN")
        scores |= _scored(batch.select(known), batch, rows, tokenizer)
    return [scores[row] for row in range(len(encoded))]


def _similar(encoded: Encoded) -> Iterator[list[int]]:
    """Yields the rows of each padded batch: similar lengths, at most TRANSFORMED_TOKENS tokens."""
    lengths = [len(prompt) + len(answer) for prompt, answer in encoded]
    rows: list[int] = []
    for row in sorted(range(len(encoded)), key=lengths.__getitem__):
        if rows and (len(rows) + 1) * lengths[row] > TRANSFORMED_TOKENS:
            yield rows
            rows = []
        rows.append(row)
    if rows:
        yield rows


def trees_of(encoded: Encoded) -> Iterator[list[int]]:
    """Yields the rows of each prefix tree: neighbours in lexicographic order of their tokens, up to
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


def _scored(
    logits: torch.Tensor, batch: Batch, rows: Sequence[int], tokenizer
) -> dict[int, AnswerScores]:
    """Scores by row, from the logits (N, V) of the batch's answer tokens."""
    wanted = profile_of(tokenizer).standardized
    at_once = max(1, CACHED // logits.shape[-1] if logits.device.type == "cpu" else len(logits))
    parts = zip(logits.split(at_once), batch.targets.split(at_once), strict=True)
    scored = [_of_rows(some, targets, wanted) for some, targets in parts]
    logprobs, correct, standardized = (torch.cat(values) for values in zip(*scored, strict=True))
    ends = torch.bincount(batch.rows, minlength=len(rows)).cumsum(0)[:-1].cpu().numpy()
    columns = [np.split(values.cpu().numpy(), ends) for values in (logprobs, correct)]
    spread = np.split(standardized.cpu().numpy(), ends if wanted else ends * 0)
    return {row: AnswerScores(*values) for row, *values in zip(rows, *columns, spread, strict=True)}


def _of_rows(
    logits: torch.Tensor, targets: torch.Tensor, wanted: bool
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Log-probability, whether greedy, and standardized log-probability of each row's target."""
    distribution = logits.float().log_softmax(-1)
    logprobs = distribution.gather(-1, targets[:, None])[:, 0]
    correct = distribution.argmax(-1) == targets
    return logprobs, correct, _standardized(logprobs, distribution) if wanted else logprobs[:0]


def _standardized(logprobs: torch.Tensor, distribution: torch.Tensor) -> torch.Tensor:
    """(N,) log-probabilities, standardized by the mean and standard deviation of the (N, V)
    log-probabilities over the vocabulary.
    """
    p = distribution.exp()
    mean = (p * distribution).sum(-1)
    variance = (p * distribution.square()).sum(-1) - mean.square()
    return (logprobs - mean) / variance.clamp(min=1e-8).sqrt()
