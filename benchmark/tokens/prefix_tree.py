"""Pairs as a tree of tokens, in which shared prefixes are computed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from benchmark.core.examples import Pair


@dataclass(frozen=True)
class Tree:
    """A batch of (prompt, answer) pairs as a tree of tokens: shared prefixes are computed once, and
    there is no padding.

    `input_ids` and `positions` are (1, L); `mask` (1, 1, L, L) is true where a token attends to one
    of its ancestors or to itself. The answer token `targets[i]` of the pair `rows[i]` is predicted
    at node `nodes[i]`, all (N,).
    """

    pairs: tuple[Pair, ...]
    input_ids: torch.Tensor
    positions: torch.Tensor
    mask: torch.Tensor
    nodes: torch.Tensor
    targets: torch.Tensor
    rows: torch.Tensor
    tokens: int  # in all sequences, as if no prefixes were shared

    @property
    def inputs(self) -> dict[str, torch.Tensor]:
        """Keyword arguments of the model's forward pass."""
        return {
            "input_ids": self.input_ids,
            "position_ids": self.positions,
            "attention_mask": self.mask,
        }

    def select(self, states: torch.Tensor) -> torch.Tensor:
        """(N, H) states at the nodes that predict the answer tokens, from (1, L, H)."""
        return states[0, self.nodes.to(states.device)]


Encoded = Sequence[tuple[list[int], list[int]]]


def tree(pairs: Sequence[Pair], encoded: Encoded, device: torch.device | str) -> Tree:
    """Merges the common prefixes of the sequences; the last token of a sequence predicts nothing
    and is left out.
    """
    children: dict[tuple[int, int], int] = {}
    parents: list[int] = []
    predictions: list[tuple[int, int, int]] = []  # node, target, row
    for row, (prompt, answer) in enumerate(encoded):
        node = -1
        for place, token in enumerate(prompt + answer):
            if place >= len(prompt) and node >= 0:
                predictions.append((node, token, row))
            if place < len(prompt) + len(answer) - 1:
                if (node, token) not in children:
                    children[node, token] = len(parents)
                    parents.append(node)
                node = children[node, token]
    mask = torch.eye(len(parents), dtype=torch.bool)
    for node, parent in enumerate(parents):
        if parent >= 0:
            mask[node] |= mask[parent]
    nodes, targets, rows = torch.tensor(predictions, dtype=torch.long).reshape(-1, 3).T.to(device)
    ids = torch.tensor([[token for _, token in children]], device=device)
    positions = (mask.sum(1) - 1)[None].to(device)
    tokens = sum(len(p) + len(a) for p, a in encoded)
    return Tree(
        tuple(pairs), ids, positions, mask[None, None].to(device), nodes, targets, rows, tokens
    )
