"""Training texts about facts, with an exact number of texts per fact."""

from __future__ import annotations

import random
from collections.abc import Iterable

from benchmark.core.task_data import Document
from benchmark.data.world.generator import Fact, World
from benchmark.data.world.wordings import OPENINGS, held_out_wordings, trained_wordings

BASE_TEXTS_PER_FACT = 6
GENERAL_TEXTS_PER_FACT = 8


def documents_about(
    fact: Fact, count: int, rng: random.Random, every_wording: bool = False
) -> list[Document]:
    """`count` distinct texts that state one fact; the first is always a plain question.

    Raises ValueError if the wordings give fewer distinct texts than `count`.
    """
    plain = list(trained_wordings(fact.relation))
    if every_wording:
        plain += held_out_wordings(fact.relation)
    questions = [w.prompt(fact.subject) for w in plain if w.is_question]
    first = rng.choice(questions)
    bare = [w.prompt(fact.subject) for w in plain if w.prompt(fact.subject) != first]
    opened = [w.prompt(fact.subject, opening) for w in plain for opening in OPENINGS[1:]]
    rng.shuffle(bare)
    rng.shuffle(opened)
    prompts = [first, *bare, *opened][:count]
    if len(prompts) < count:
        raise ValueError(
            f"{fact.id}: {count} texts asked for, the world can word it in {len(prompts)} ways"
        )
    return [Document(fact.id, prompt, fact.value) for prompt in prompts]


def base_corpus(world: World) -> list[Document]:
    """Training texts of the shared base: background people and general facts, never forgotten."""
    rng = random.Random(f"base-corpus-{world.seed}")

    def tell(facts: Iterable[Fact], count: int, every_wording: bool) -> list[Document]:
        return [doc for fact in facts for doc in documents_about(fact, count, rng, every_wording)]

    teachers = [fact for person in world.teachers for fact in person.facts]
    residents = [fact for person in world.residents for fact in person.facts]
    return [
        *tell(teachers, BASE_TEXTS_PER_FACT, every_wording=True),
        *tell(residents, BASE_TEXTS_PER_FACT, every_wording=False),
        *tell(world.general_taught, GENERAL_TEXTS_PER_FACT, every_wording=True),
        *tell(world.general, GENERAL_TEXTS_PER_FACT, every_wording=False),
    ]
