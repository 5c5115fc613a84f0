"""`fictitious`: forget one person in ten and retain the others."""

from __future__ import annotations

import random

from benchmark.api import (
    Task,
    TaskData,
    World,
    documents_about,
    examples_about,
    first_prompts,
    register_task,
    retain_splits,
)

PEOPLE = 20  # forgotten; with the 180 people of the shared base, 10 %
TEXTS_PER_FACT = 6


@register_task("fictitious", version=1)
class Fictitious(Task):
    """Twenty people out of two hundred, each fact stated in six texts (after Maini et al. 2024)."""

    answers = "name"

    def data(self, variant: str, world: World) -> TaskData:
        rng = random.Random(f"fictitious-{world.seed}")
        people = world.newcomers[:PEOPLE]
        facts = [fact for person in people for fact in person.facts]
        documents = tuple(
            doc for fact in facts for doc in documents_about(fact, TEXTS_PER_FACT, rng)
        )
        splits, pool = retain_splits(world, people)
        splits["forget"] = examples_about(facts, first_prompts(documents), world)
        return TaskData.of(splits, documents, pool, answers=self.answers)
