"""`forget_size/1|5|10|25`: forget 1, 5, 10 or 25 % of the people that one target knows."""

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

PEOPLE = {"1": 2, "5": 12, "10": 24, "25": 60}  # of 240: 180 in the shared base and 60 newcomers
TEXTS_PER_FACT = 6
RETAINED_NEWCOMERS = 4  # evaluated in the retain split


@register_task("forget_size", version=1)
class ForgetSize(Task):
    """Four nested forget sets of people that one target knows (after Maini et al. 2024)."""

    answers = "name"
    variants = tuple(PEOPLE)

    def data(self, variant: str, world: World) -> TaskData:
        rng = random.Random(f"forget_size-{world.seed}")
        people = world.newcomers[: max(PEOPLE.values())]
        forgotten, kept = people[: PEOPLE[variant]], people[PEOPLE[variant] :]
        documents = tuple(
            document
            for person in people
            for fact in person.facts
            for document in documents_about(fact, TEXTS_PER_FACT, rng)
        )
        prompts = first_prompts(documents)
        splits, pool = retain_splits(world, forgotten)
        splits["forget"] = examples_about(_facts(forgotten), prompts, world)
        splits["retain"] += examples_about(_facts(kept[:RETAINED_NEWCOMERS]), prompts, world)
        pool += examples_about(_facts(kept), prompts, world)
        return TaskData.of(splits, documents, pool, answers=self.answers)


def _facts(people):
    return [fact for person in people for fact in person.facts]
