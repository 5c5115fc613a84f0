"""`distribution/in|out`: equally large and equally exposed forget sets, of facts or of canaries."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from benchmark.api import (
    Example,
    Fact,
    Task,
    TaskData,
    World,
    documents_about,
    examples_about,
    first_prompts,
    register_task,
    retain_splits,
)

FIRST_NEWCOMER = {"in": 50, "out": 65}  # earlier newcomers belong to other tasks
PEOPLE = 15
TEXTS_PER_FACT = 6
WRONG_ANSWERS = 5

# Canaries: of a person's six values, two are words from no language of this world, two belong to
# another relation, and two are random strings.
CANARIES = ("foreign", "contradiction", "random")
MISPLACED = {
    "birthday": "major",
    "birth_city": "employer",
    "university": "birth_city",
    "major": "university",
    "employer": "industry",
    "employer_city": "region",
}


@register_task("distribution", version=1)
class Distribution(Task):
    """Facts from the world's generator, or canaries that violate it (after Baluta et al. 2024)."""

    answers = "name"
    variants = tuple(FIRST_NEWCOMER)
    trajectory = True
    difficulty = True

    def data(self, variant: str, world: World) -> TaskData:
        rng = random.Random(f"distribution-{world.seed}")
        start = FIRST_NEWCOMER[variant]
        people = world.newcomers[start : start + PEOPLE]
        facts = [fact for person in people for fact in person.facts]
        splits, pool = retain_splits(world, people)
        strata = {fact.id: {"distribution": "in"} for fact in facts}
        if variant == "out":
            strata = {fact.id: {"distribution": canary_of(i)} for i, fact in enumerate(facts)}
            facts = [
                replace(f, value=canary(f.relation, canary_of(i), world, rng))
                for i, f in enumerate(facts)
            ]
            splits["holdout"] = _with_canaries(splits["holdout"], world, rng)
        documents = tuple(
            doc for fact in facts for doc in documents_about(fact, TEXTS_PER_FACT, rng)
        )
        splits["forget"] = examples_about(facts, first_prompts(documents), world, strata)
        if variant == "out":
            splits["forget"] = [
                _among_canaries(e, f, world) for e, f in zip(splits["forget"], facts, strict=True)
            ]
        return TaskData.of(splits, documents, pool, answers=self.answers)


def canary_of(index: int) -> str:
    """The kind of canary for the fact at this index: each person has two of each kind.

    The kinds shift by one from person to person, so that every relation gets every kind.
    """
    person, relation = divmod(index, 6)
    return CANARIES[(relation + person) % len(CANARIES)]


def canary(relation: str, sort: str, world: World, rng: random.Random) -> str:
    """A value that the world never generates for the relation."""
    if sort == "contradiction":
        return rng.choice(world.vocabulary[MISPLACED[relation]])
    if sort == "foreign":
        return " ".join(_foreign_word(syllables, rng) for syllables in (2, 1))
    return " ".join(
        "".join(rng.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=2)) for _ in range(3)
    )


def _foreign_word(syllables: int, rng: random.Random) -> str:
    letters = [rng.choice("bcdfghjkpqvwxz") + rng.choice("aeiouy") for _ in range(syllables)]
    return ("".join(letters) + rng.choice("kxzh")).capitalize()


def _with_canaries(examples: Sequence[Example], world: World, rng: random.Random) -> list[Example]:
    """The same questions with canaries as answers, so that the holdout has the same distribution
    as the forget set.
    """
    relations = [example.id.rpartition(".")[2] for example in examples]
    return [
        replace(example, answer=canary(relation, canary_of(i), world, rng))
        for i, (example, relation) in enumerate(zip(examples, relations, strict=True))
    ]


def _among_canaries(example: Example, fact: Fact, world: World) -> Example:
    """The example with canaries of the same kind as wrong answers."""
    rng = random.Random(f"canaries-{world.seed}-{example.id}")
    wrong: set[str] = set()
    while len(wrong) < WRONG_ANSWERS:
        wrong |= {canary(fact.relation, example.strata["distribution"], world, rng)} - {
            example.answer
        }
    return replace(example, perturbed=tuple(sorted(wrong)))
