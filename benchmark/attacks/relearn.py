"""Relearning: brief fine-tuning on one half of the forgotten, to see whether the other half
comes back.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Sequence
from typing import ClassVar

from benchmark.attacks.base import ATTACKS
from benchmark.core.examples import Example
from benchmark.core.request import Meter
from benchmark.models.tracks import Track
from benchmark.tokens.batches import collate
from benchmark.tokens.losses import answer_nll
from benchmark.training.loop import Schedule, train

SHARE_OF_BUDGET = 1 / 4  # of the track's steps


def halves(forget: Sequence[Example]) -> tuple[list[Example], list[Example]]:
    """(relearned, scored): whole entities, alternately in order of their names, so that both
    halves are alike.
    """
    entities = sorted({example.entity for example in forget})
    first = set(entities[::2])
    return [e for e in forget if e.entity in first], [e for e in forget if e.entity not in first]


class RelearnDisjoint:
    """Fine-tunes on the first half of the forget set's entities; the second half is scored."""

    name: ClassVar[str] = "relearn_disjoint"
    source: ClassVar[str] = "Hu et al. 2024 (Jogging the Memory of Unlearned LLMs)"

    def apply(self, model, tokenizer, forget: Sequence[Example], track: Track, seed: int):
        attacked = copy.deepcopy(model)
        pairs = [e.pair for e in halves(forget)[0]]
        rng = random.Random(f"relearn-{seed}")
        budget = track.budget
        steps, size = (
            max(1, int(budget.steps * SHARE_OF_BUDGET)),
            min(budget.batch_size, len(pairs)),
        )
        batches = (collate(rng.sample(pairs, size), tokenizer, attacked) for _ in range(steps))
        train(
            attacked,
            batches,
            lambda batch: answer_nll(attacked, batch, per_token=True).mean(),
            Schedule(steps, track.relearning_rate, decay=False),
            Meter(),
            tokens_of=lambda batch: batch.tokens,
        )
        return attacked

    def scored(self, forget: Sequence[Example]) -> list[Example]:
        return halves(forget)[1]


ATTACKS[RelearnDisjoint.name] = RelearnDisjoint()
