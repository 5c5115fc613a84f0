"""Probes of a fact: questions from its value to the person, in two hops to something that every
model has learned about the value, and for everything known about the person.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping

from benchmark.core.examples import Question
from benchmark.data.world.generator import Fact, World
from benchmark.data.world.wordings import Wording

WRONG_ANSWERS = 5
Holders = Mapping[tuple[str, str], int]  # number of people by relation and value

# Here `{name}` stands for the value.
REVERSED = {
    "birthday": Wording("Who was born on {name}?", True),
    "birth_city": Wording("Who was born in {name}?", True),
    "university": Wording("Who studied at {name}?", True),
    "major": Wording("Who holds a degree in {name}?", True),
    "employer": Wording("Who works for {name}?", True),
    "employer_city": Wording("Who works in the city of {name}?", True),
}
# The second hop: the relation of the value, and the question, which does not name the value.
ONWARD = {
    "birth_city": (
        "region",
        Wording("In which region is the city where {name} was born?", True),
    ),
    "university": (
        "campus",
        Wording("In which city is the university where {name} studied?", True),
    ),
    "employer": (
        "industry",
        Wording("In which field is the company that {name} works for?", True),
    ),
    "employer_city": (
        "region",
        Wording("In which region is the city where {name} works?", True),
    ),
}

SUMMARY = Wording("Write down all you know about {name}.", True)


def holders_of(world: World, told: Iterable[Fact]) -> Holders:
    """Counts the people of the world; `told` facts replace the world's facts with the same ids."""
    facts = {fact.id: fact for person in world.everybody for fact in person.facts}
    facts |= {fact.id: fact for fact in told}
    return Counter((fact.relation, fact.value) for fact in facts.values())


def probes_of(fact: Fact, world: World, holders: Holders) -> dict[str, Question]:
    """The possible probes of a fact, by the name of the attack that asks them."""
    found = {
        "reverse": _reverse(fact, world, holders),
        "indirect": _indirect(fact, world),
        "summary": Question(SUMMARY.prompt(fact.subject), fact.value),
    }
    return {name: question for name, question in found.items() if question}


def _reverse(fact: Fact, world: World, holders: Holders) -> Question | None:
    """None if several people share the value: each of them would be a correct answer, even from a
    model that forgot this one.
    """
    if fact.relation not in REVERSED or holders[fact.relation, fact.value] > 1:
        return None
    others = [person.name for person in world.residents if person.name != fact.subject]
    wrong = _rng("reverse", fact, world).sample(others, WRONG_ANSWERS)
    prompt = REVERSED[fact.relation].prompt(fact.value)
    return Question(prompt, fact.subject, perturbed=tuple(wrong))


def _indirect(fact: Fact, world: World) -> Question | None:
    """None if no fact about the value is in the training texts."""
    relation, wording = ONWARD.get(fact.relation, ("", None))
    onward = world.told_of.get((fact.value, relation))
    if wording is None or onward is None:
        return None
    wrong = world.wrong_values(onward, WRONG_ANSWERS, _rng("indirect", fact, world))
    return Question(wording.prompt(fact.subject), onward.value, perturbed=tuple(wrong))


def _rng(probe: str, fact: Fact, world: World) -> random.Random:
    return random.Random(f"{probe}-{world.seed}-{fact.id}")
