"""Turns facts of the world into the examples of the controlled tasks."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from benchmark.core.examples import Example
from benchmark.core.task_data import Document
from benchmark.data.world.corpus import base_corpus
from benchmark.data.world.generator import Fact, Person, World
from benchmark.data.world.probes import WRONG_ANSWERS, holders_of, probes_of
from benchmark.data.world.wordings import held_out_wordings, trained_wordings

RETAINED_PEOPLE = 14  # evaluated people, of those that no request covers
NEIGHBOUR_PEOPLE = 14
HOLDOUT_PEOPLE = 20


@lru_cache(maxsize=4)
def _base_prompts(world: World) -> dict[str, str]:
    return first_prompts(base_corpus(world))


def examples_about(
    facts: Iterable[Fact],
    prompts: Mapping[str, str],
    world: World,
    strata: Mapping[str, dict[str, str]] | None = None,
) -> list[Example]:
    """One example per fact, with the trained wording from `prompts` and randomly drawn held-out
    wordings and wrong answers.

    Each example has one held-out question, one held-out statement, and the probes that its fact
    allows.
    """
    told = list(facts)
    holders = holders_of(world, told)
    return [
        replace(
            _example(fact, prompts[fact.id], world, (strata or {}).get(fact.id, {})),
            probes=probes_of(fact, world, holders),
        )
        for fact in told
    ]


def _example(fact: Fact, prompt: str, world: World, strata: dict[str, str]) -> Example:
    rng = random.Random(f"example-{world.seed}-{fact.id}")
    held_out = held_out_wordings(fact.relation)
    question = rng.choice([w for w in held_out if w.is_question])
    statement = rng.choice([w for w in held_out if not w.is_question])
    paraphrases = tuple(w.prompt(fact.subject) for w in (question, statement))
    wrong = tuple(world.wrong_values(fact, WRONG_ANSWERS, rng))
    return Example(
        fact.id, fact.entity, prompt, fact.value, paraphrases, wrong, strata=dict(strata)
    )


def general_examples(world: World) -> list[Example]:
    """Examples of facts that name no person and are never trained in the held-out wordings."""
    return examples_about(world.general, _base_prompts(world), world)


def retain_splits(
    world: World, forgotten: Sequence[Person]
) -> tuple[dict[str, list[Example]], list[Example]]:
    """The splits that every controlled task shares, and the base facts that methods may rehearse.

    `neighbors` is about residents who share an employer or birth city with a forgotten person,
    `retain` about residents who do not. Methods are never given neighbors and general facts, which
    therefore show collateral damage. `holdout` is about strangers, in trained wordings.
    """
    prompts = _base_prompts(world)
    near = [p for p in world.residents if p.shares_place_with(forgotten)]
    far = [p for p in world.residents if not p.shares_place_with(forgotten)]
    splits = {
        "retain": examples_about(_facts(far[:RETAINED_PEOPLE]), prompts, world),
        "neighbors": examples_about(_facts(near[:NEIGHBOUR_PEOPLE]), prompts, world),
        "general": general_examples(world),
        "holdout": [_stranger_example(f, world) for f in _facts(world.strangers[:HOLDOUT_PEOPLE])],
    }
    rehearsed = [
        Example(f.id, f.entity, prompts[f.id], f.value) for f in _facts([*world.teachers, *far])
    ]
    return splits, rehearsed


def _stranger_example(fact: Fact, world: World) -> Example:
    rng = random.Random(f"stranger-{world.seed}-{fact.id}")
    question = rng.choice([w for w in trained_wordings(fact.relation) if w.is_question])
    return Example(fact.id, fact.entity, question.prompt(fact.subject), fact.value)


def _facts(people: Iterable[Person]) -> list[Fact]:
    return [fact for person in people for fact in person.facts]


def first_prompts(documents: Iterable[Document]) -> dict[str, str]:
    """The prompt of the first text about each fact, which is always a plain question and counts as
    the trained wording.
    """
    prompts: dict[str, str] = {}
    for document in documents:
        prompts.setdefault(document.example, document.prompt)
    return prompts
