"""Text pairs as token tensors, padded or as a tree, and the negative log-likelihood of their answers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from benchmark.data import Pair
from benchmark.training.prompts import encode_pair

IGNORED = -100  # labels of prompt and padding positions
# Architectures that attend as a tree's mask says; GPT-Neo, for one, brings a mask of its own.
TREE_ARCHITECTURES = frozenset({"llama", "gpt_neox", "olmo2", "qwen2"})


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

    @property
    def where(self) -> torch.Tensor:
        """(B, L-1) mask of the positions whose next token belongs to an answer."""
        return self.labels[:, 1:] != IGNORED

    @property
    def targets(self) -> torch.Tensor:
        """(N,) the answer tokens that are predicted, pair after pair."""
        return self.labels[:, 1:][self.where]

    @property
    def rows(self) -> torch.Tensor:
        """(N,) the pair that each of them belongs to."""
        return self.where.nonzero()[:, 0]

    @property
    def inputs(self) -> dict[str, torch.Tensor]:
        """What the model is given.

        No attention mask is needed: attention is causal and padding stands on the right, where no answer token looks.
        """
        return {"input_ids": self.input_ids}

    def select(self, states: torch.Tensor) -> torch.Tensor:
        """(N, H) of (B, L, H): the positions that predict the answer tokens."""
        return states[:, :-1][self.where.to(states.device)]


@dataclass(frozen=True)
class Tree:
    """The same as a tree of tokens: what several sequences begin with is computed once, and nothing is padded.

    `input_ids` and `positions` are (1, L); `mask` (1, 1, L, L) is true where a token looks at one that it continues, or
    at itself. The answer token `targets[i]` of the pair `rows[i]` is predicted at node `nodes[i]`, all (N,).
    """

    pairs: tuple[Pair, ...]
    input_ids: torch.Tensor
    positions: torch.Tensor
    mask: torch.Tensor
    nodes: torch.Tensor
    targets: torch.Tensor
    rows: torch.Tensor
    tokens: int  # of all sequences, as if nothing were shared

    @property
    def inputs(self) -> dict[str, torch.Tensor]:
        """What the model is given."""
        return {"input_ids": self.input_ids, "position_ids": self.positions, "attention_mask": self.mask}

    def select(self, states: torch.Tensor) -> torch.Tensor:
        """(N, H) of (1, L, H): the nodes that predict the answer tokens."""
        return states[0, self.nodes.to(states.device)]


Batch = Sequences | Tree


def collate(pairs: Sequence[Pair], tokenizer, model=None) -> Batch:
    """The batch on the model's device, or on the CPU without one; a tree for pretrained models that can read trees."""
    device = "cpu" if model is None else model.device
    encoded = [encode_pair(pair, tokenizer) for pair in pairs]
    if model is not None and reads_trees(model, tokenizer):
        return tree(pairs, encoded, device)
    return padded(pairs, encoded, tokenizer.pad_token_id, device)


def reads_trees(model, tokenizer) -> bool:
    """Prompts of pretrained models share a long beginning; those of models trained here are too short to gain."""
    return bool(tokenizer.chat_template) and model.config.model_type in TREE_ARCHITECTURES


Encoded = Sequence[tuple[list[int], list[int]]]


def padded(pairs: Sequence[Pair], encoded: Encoded, pad: int, device: torch.device | str) -> Sequences:
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


def tree(pairs: Sequence[Pair], encoded: Encoded, device: torch.device | str) -> Tree:
    """Merges the sequences' common beginnings; the last token of a sequence predicts nothing and is left out."""
    children: dict[tuple[int, int], int] = {}
    parents: list[int] = []
    found: list[tuple[int, int, int]] = []  # node, target, row
    for row, (prompt, answer) in enumerate(encoded):
        node = -1
        for place, token in enumerate(prompt + answer):
            if place >= len(prompt) and node >= 0:
                found.append((node, token, row))
            if place < len(prompt) + len(answer) - 1:
                if (node, token) not in children:
                    children[node, token] = len(parents)
                    parents.append(node)
                node = children[node, token]
    mask = torch.eye(len(parents), dtype=torch.bool)
    for node, parent in enumerate(parents):
        if parent >= 0:
            mask[node] |= mask[parent]
    nodes, targets, rows = torch.tensor(found, dtype=torch.long).reshape(-1, 3).T.to(device)
    ids = torch.tensor([[token for _, token in children]], device=device)
    positions = (mask.sum(1) - 1)[None].to(device)
    tokens = sum(len(p) + len(a) for p, a in encoded)
    return Tree(tuple(pairs), ids, positions, mask[None, None].to(device), nodes, targets, rows, tokens)


def answer_logits(model, batch: Batch) -> torch.Tensor:
    """Logits (N, V) of the N answer tokens of the batch, by the model's own forward pass.

    Only answer positions go through the language-model head, whose cost on prompts would be wasted. What a model does
    before and after its head (soft caps, scales, multipliers) it does itself.
    """
    with _head_of_answers(model, batch) as reached:
        logits = model(**batch.inputs, use_cache=False).logits
    return (logits[0] if reached else batch.select(logits)).to(batch.targets.device)


@contextmanager
def _head_of_answers(model, batch: Batch) -> Iterator[list[bool]]:
    """Within it, the head sees the answer positions alone, (1, N, H); the list is empty until the head was called.

    A head in half precision computes in float32: logits of eight bits would move probabilities by percents.
    """
    head, reached = model.get_output_embeddings(), list[bool]()
    if head is None:
        yield reached
        return

    def select(_: torch.nn.Module, given: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        reached.append(True)
        return (batch.select(given[0])[None], *given[1:])

    hook = head.register_forward_pre_hook(select)
    try:
        with _in_float32(head):
            yield reached
    finally:
        hook.remove()


@contextmanager
def _in_float32(head: torch.nn.Module) -> Iterator[None]:
    """Within it, a linear layer whose weights are bfloat16 computes in float32."""
    if not isinstance(head, torch.nn.Linear) or head.weight.dtype is not torch.bfloat16:
        yield
        return
    own = head.__dict__.get("forward")
    bias = None if head.bias is None else head.bias.float()
    head.forward = lambda input: F.linear(input.float(), head.weight.float(), bias)  # type: ignore[method-assign]
    try:
        yield
    finally:
        if own is None:
            del head.forward
        else:
            head.forward = own  # type: ignore[method-assign]


def answer_nll(model, batch: Batch, per_token: bool = False) -> torch.Tensor:
    """Negative log-likelihood of each answer, (B,): summed over its tokens, or their mean if `per_token`."""
    losses = F.cross_entropy(answer_logits(model, batch).float(), batch.targets, reduction="none")
    rows = batch.rows
    summed = torch.zeros(len(batch.pairs), device=losses.device).index_add(0, rows, losses)
    return summed / torch.bincount(rows, minlength=len(batch.pairs)) if per_token else summed


def kl_from_uniform(logits: torch.Tensor) -> torch.Tensor:
    """KL(uniform || p) in nats of the distributions p that (N, V) logits stand for, (N,): 0 where p is uniform.

    Yuan et al. 2024 (A Closer Look), on maximising entropy.
    """
    return -logits.float().log_softmax(-1).mean(-1) - math.log(logits.shape[-1])
