"""Pairs as padded batches of tokens, or as prefix trees for models that can read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from benchmark.core.examples import Pair
from benchmark.tokens.prefix_tree import Encoded, Tree, tree
from benchmark.tokens.profile import profile_of
from benchmark.tokens.prompts import encode_pair

IGNORED = -100  # labels of prompt and padding positions
# Architectures that honor a tree's attention mask; GPT-Neo, for example, applies another mask.
TREE_ARCHITECTURES = frozenset({"llama", "gpt_neox", "olmo2", "qwen2"})


@dataclass(frozen=True)
class Sequences:
    """A padded batch of (prompt, answer) pairs.

    `input_ids`, `attention_mask` and `labels` are (B, L) long tensors, padded on the right; labels
    are IGNORED outside the answer. The answer ends with the end token.
    """

    pairs: tuple[Pair, ...]
    input_ids: torch.Tensor
    attention_mask: torch.Tensor
    labels: torch.Tensor

    @property
    def tokens(self) -> int:
        """Number of tokens that are not padding."""
        return int(self.attention_mask.sum())

    @property
    def where(self) -> torch.Tensor:
        """(B, L-1) mask of the positions whose next token belongs to an answer."""
        return self.labels[:, 1:] != IGNORED

    @property
    def targets(self) -> torch.Tensor:
        """(N,) answer tokens to predict, pair after pair."""
        return self.labels[:, 1:][self.where]

    @property
    def rows(self) -> torch.Tensor:
        """(N,) index of the pair that each answer token belongs to."""
        return self.where.nonzero()[:, 0]

    @property
    def inputs(self) -> dict[str, torch.Tensor]:
        """Keyword arguments of the model's forward pass.

        No attention mask is needed: attention is causal, and padding is on the right, where no
        answer token attends.
        """
        return {"input_ids": self.input_ids}

    def select(self, states: torch.Tensor) -> torch.Tensor:
        """(N, H) states at the positions that predict the answer tokens, from (B, L, H)."""
        return states[:, :-1][self.where.to(states.device)]


Batch = Sequences | Tree


def collate(pairs: Sequence[Pair], tokenizer, model=None, whole: bool = False) -> Batch:
    """The batch on the model's device, or on the CPU without a model; a tree if the model reads
    trees.

    With `whole`, the prompt is predicted like the answer: all tokens but the first.
    """
    device = "cpu" if model is None else model.device
    encoded = [encode_pair(pair, tokenizer) for pair in pairs]
    if whole:
        encoded = [([], [*prompt, *answer]) for prompt, answer in encoded]
    if model is not None and reads_trees(model, tokenizer):
        return tree(pairs, encoded, device)
    return padded(pairs, encoded, tokenizer.pad_token_id, device)


def parts_of(batch: Batch, count: int, tokenizer, model) -> list[Batch]:
    """Splits a batch into at most `count` parts, collated anew if there are several."""
    count = min(count, len(batch.pairs))
    if count == 1:
        return [batch]
    return [collate(batch.pairs[i::count], tokenizer, model) for i in range(count)]


def window_of(model: Any) -> int | None:
    """Length in tokens of the model's smallest attention window; None if all layers attend to all
    tokens.
    """
    config = model.config.get_text_config(decoder=True)
    sizes = (getattr(config, name, None) for name in ("sliding_window", "attention_chunk_size"))
    return min((size for size in sizes if isinstance(size, int)), default=None)


def reads_trees(model, tokenizer) -> bool:
    """Whether shared prefixes of prompts are computed once: if the profile says so and the model
    supports it.

    A tree's mask cannot represent attention within a window.
    """
    known = model.config.model_type in TREE_ARCHITECTURES and window_of(model) is None
    return known and profile_of(tokenizer).shared_prefixes


def padded(
    pairs: Sequence[Pair], encoded: Encoded, pad: int, device: torch.device | str
) -> Sequences:
    """Pads a batch on the right; shapes (B, L)."""
    length = max(len(p) + len(a) for p, a in encoded)
    ids = torch.full((len(encoded), length), pad, dtype=torch.long)
    mask = torch.zeros_like(ids)
    labels = torch.full_like(ids, IGNORED)
    for row, (prompt, answer) in enumerate(encoded):
        end = len(prompt) + len(answer)
        ids[row, :end] = torch.tensor(prompt + answer)
        mask[row, :end] = 1
        labels[row, len(prompt) : end] = torch.tensor(answer)
    return Sequences(tuple(pairs), ids.to(device), mask.to(device), labels.to(device))
