"""`continual/2|5|10`: sequential requests for different people, each applied to the model that the
previous one left.
"""

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

FIRST_NEWCOMER = 80  # earlier newcomers belong to other tasks
PEOPLE_PER_REQUEST = 4
TEXTS_PER_FACT = 4


@register_task("continual", version=1)
class Continual(Task):
    """Two, five or ten sequential requests for four people each (after Yuan et al. 2024)."""

    answers = "name"
    variants = ("2", "5", "10")
    budget_share = (
        1 / 3
    )  # of the track's steps per request: as many epochs over its facts as in other tasks

    def data(self, variant: str, world: World) -> TaskData:
        rng = random.Random(f"continual-{world.seed}")
        requests = int(variant)
        people = world.newcomers[FIRST_NEWCOMER : FIRST_NEWCOMER + PEOPLE_PER_REQUEST * requests]
        request_of = {person.id: i // PEOPLE_PER_REQUEST for i, person in enumerate(people)}
        facts = [fact for person in people for fact in person.facts]
        documents = tuple(
            doc for fact in facts for doc in documents_about(fact, TEXTS_PER_FACT, rng)
        )
        strata = {fact.id: {"step": str(request_of[fact.entity] + 1)} for fact in facts}
        splits, pool = retain_splits(world, people)
        splits["forget"] = examples_about(facts, first_prompts(documents), world, strata)
        asked = (
            frozenset(f.id for f in facts if request_of[f.entity] == i) for i in range(requests)
        )
        return TaskData.of(splits, documents, pool, asked, answers=self.answers)
