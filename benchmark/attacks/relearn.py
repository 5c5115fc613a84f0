"""Relearning attacks: does brief fine-tuning of the unlearned model recover forgotten knowledge?"""

from __future__ import annotations

import copy
import random
from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

from pydantic import PositiveFloat, PositiveInt

from benchmark.core.attack import Attack, AttackRequest
from benchmark.core.examples import Example, Pair
from benchmark.core.registry import register_attack
from benchmark.core.request import Meter
from benchmark.models.placement import seeded
from benchmark.tokens.batches import collate, parts_of
from benchmark.tokens.losses import answer_nll
from benchmark.training.loop import Schedule, train

Points = tuple[PositiveInt, ...]


def halves(forget: Sequence[Example]) -> tuple[list[Example], list[Example]]:
    """(relearned, scored) halves: whole entities, in alternation by sorted name, which makes the
    halves similar.
    """
    entities = sorted({example.entity for example in forget})
    first = set(entities[::2])
    return [e for e in forget if e.entity in first], [e for e in forget if e.entity not in first]


def relearned(
    model: Any,
    pairs: Sequence[Pair],
    request: AttackRequest,
    schedule: Schedule,
    points: Points = (),
    lora: bool = False,
) -> Any:
    """A copy of the model, fine-tuned on random batches of the pairs, and scored after each number
    of steps in `points`.
    """
    attacked = copy.deepcopy(model)
    rng = random.Random(f"relearn-{request.seed}")
    size = min(request.budget.batch_size, len(pairs))

    def watch(trained: Any, steps: int) -> None:
        if steps in points:
            request.look(f"{steps:03d}", trained)

    batches = (
        collate(rng.sample(pairs, size), request.tokenizer, attacked) for _ in range(schedule.steps)
    )
    with seeded(request.seed):  # for the initialization of adapters
        train(
            attacked,
            batches,
            lambda batch: answer_nll(attacked, batch, per_token=True).mean(),
            schedule,
            Meter(watch=watch),
            tokens_of=lambda batch: batch.tokens,
            lora=lora,
            parts=partial(parts_of, tokenizer=request.tokenizer, model=attacked),
        )
    return attacked


@register_attack(
    "relearn_disjoint", version=2, source="Hu et al. 2024 (Jogging the Memory of Unlearned LLMs)"
)
class RelearnDisjoint(Attack):
    """Fine-tunes on half of the forget set's entities for `steps` steps; the other half is scored,
    also after the steps in `points`.
    """

    kept, trains = 24, True
    lora: ClassVar[bool] = False
    steps: PositiveInt
    learning_rate: PositiveFloat
    points: Points = ()

    def apply(self, model, request: AttackRequest):
        pairs = [e.pair for e in halves(request.forget)[0]]
        schedule = Schedule(self.steps, self.learning_rate, decay=False)
        return relearned(model, pairs, request, schedule, self.points, self.lora)

    def scored(self, forget: Sequence[Example]) -> list[Example]:
        return halves(forget)[1]


@register_attack(
    "relearn_benign",
    version=1,
    source="Łucki et al. 2024 (An Adversarial Perspective)",
)
class RelearnBenign(Attack):
    """Fine-tunes on the retain set for `steps` steps, as a user would on their own data; the whole
    forget set is scored, also after the steps in `points`.
    """

    kept, trains = 24, True
    steps: PositiveInt
    learning_rate: PositiveFloat
    points: Points = ()

    def apply(self, model, request: AttackRequest):
        schedule = Schedule(self.steps, self.learning_rate, decay=False)
        return relearned(model, request.retain, request, schedule, self.points)


@register_attack("relearn_lora", version=1, source="Łucki et al. 2024 (An Adversarial Perspective)")
class RelearnLoRA(RelearnDisjoint):
    """Trains low-rank adapters on half of the forget set's entities for `steps` steps; the other
    half is scored, also after the steps in `points`.
    """

    lora, trains = True, False
