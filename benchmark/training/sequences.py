"""Text pairs as padded token tensors, and the negative log-likelihood of their answers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch.nn import functional as F

from benchmark.data import Pair

IGNORED = -100  # labels of prompt and padding positions


@dataclass(frozen=True)
class Sequences:
    """A padded batch of (prompt, answer) pairs.

    `input_ids`, `attention_mask` and `labels` are (B, L) long tensors, padded on the right; labels are
    IGNORED outside the answer. The answer ends with the end token.
    """

    pairs: tuple[Pair, ...]
    input_ids: torch.Tensor
    attention_mask: torch.Tensor
    labels: torch.Tensor

    @property
    def tokens(self) -> int:
        """Number of tokens that are not padding."""
        return int(self.attention_mask.sum())


def encode_pair(pair: Pair, tokenizer) -> tuple[list[int], list[int]]:
    """Token ids of the prompt and of the answer with its end token; an empty answer is a ValueError."""
    if not pair.answer:
        raise ValueError(f"the answer to {pair.prompt!r} is empty")
    separator = " " if pair.prompt else ""
    prompt, answer = _token_ids(tokenizer, pair.prompt), _token_ids(tokenizer, separator + pair.answer)
    return list(prompt), [*answer, tokenizer.eos_token_id]


@lru_cache(maxsize=1 << 18)
def _token_ids(tokenizer, text: str) -> tuple[int, ...]:
    """Training reads the same texts in every epoch; encoding them once saves a tenth of its time."""
    return tuple(tokenizer(text, add_special_tokens=False)["input_ids"])


def collate(pairs: Sequence[Pair], tokenizer, device: torch.device | str = "cpu") -> Sequences:
    """Encodes and pads a batch; shapes (B, L)."""
    encoded = [encode_pair(pair, tokenizer) for pair in pairs]
    length = max(len(p) + len(a) for p, a in encoded)
    ids = torch.full((len(encoded), length), tokenizer.pad_token_id, dtype=torch.long)
    mask = torch.zeros_like(ids)
    labels = torch.full_like(ids, IGNORED)
    for row, (prompt, answer) in enumerate(encoded):
        end = len(prompt) + len(answer)
        ids[row, :end] = torch.tensor(prompt + answer)
        mask[row, :end] = 1
        labels[row, len(prompt) : end] = torch.tensor(answer)
    return Sequences(tuple(pairs), ids.to(device), mask.to(device), labels.to(device))


def answer_logits(model, batch: Sequences) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits (N, V) at the N answer positions of the batch, and where they are: a (B, L-1) mask.

    Only answer positions go through the language-model head, whose cost on prompts would be wasted. No attention
    mask is needed: attention is causal and padding stands on the right, where no answer token looks.
    """
    hidden = model.base_model(input_ids=batch.input_ids).last_hidden_state
    where = batch.labels[:, 1:] != IGNORED
    return model.get_output_embeddings()(hidden[:, :-1][where]), where


def answer_nll(model, batch: Sequences, per_token: bool = False) -> torch.Tensor:
    """Negative log-likelihood of each answer, (B,): summed over its tokens, or their mean if `per_token`."""
    logits, where = answer_logits(model, batch)
    losses = F.cross_entropy(logits.float(), batch.labels[:, 1:][where], reduction="none")
    rows = where.nonzero()[:, 0]
    summed = torch.zeros(len(batch.pairs), device=losses.device).index_add(0, rows, losses)
    return summed / where.sum(1) if per_token else summed


def kl_from_uniform(logits: torch.Tensor) -> torch.Tensor:
    """KL(uniform || p) in nats of the distributions p that (N, V) logits stand for, (N,): 0 where p is uniform.

    Yuan et al. 2024 (A Closer Look), on maximising entropy.
    """
    return -logits.float().log_softmax(-1).mean(-1) - math.log(logits.shape[-1])
