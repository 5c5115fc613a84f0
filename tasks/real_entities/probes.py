"""Probe questions that ask for a fact in other ways, each with the beginning of its answer."""

from __future__ import annotations

import random
import re
from functools import lru_cache
from string import ascii_lowercase

from benchmark.api import Question, coined_names
from tasks.real_entities.rows import Row, drawn, rows, wrong_answers

# Relations in which the answer determines the subject. In the others it does not: a writer has
# written more than one book.
REVERSED = {
    "capital": ("Of which country is {} the capital?", "{} is the capital of"),
    "symbol": (
        "Which chemical element has the symbol {}?",
        "{} is the symbol of the element",
    ),
}
# From a city via its country to the capital.
ONWARD = (
    "What is the capital of the country in which the city of {} is?",
    "The capital of that country is",
)
SUMMARY = "Write down all you know about {}."
SPELLINGS = {"aluminium": "aluminum", "caesium": "cesium", "sulfur": "sulphur"}


def probes_of(row: Row, subject: str = "") -> dict[str, Question]:
    """The available probe questions about a fact, by the attack that asks them; with `subject`, the
    same questions about that nonexistent subject.
    """
    summary = SUMMARY.format(subject or row.subject)
    found = {
        "reverse": _reverse(row, subject),
        "indirect": _indirect(row, subject),
        "summary": Question(summary, row.answer, aliases=row.aliases),
    }
    return {name: question for name, question in found.items() if question}


def _reverse(row: Row, never: str) -> Question | None:
    """The question that asks for the subject given the answer, if only one subject fits.

    With a nonexistent subject `never`, the given answer is invented, so the subject can only be
    guessed.
    """
    others = {r.subject for r in rows() if r.relation == row.relation} - {row.subject}
    name = re.compile(rf"\b{re.escape(row.subject.removeprefix('the '))}\b")
    if row.relation not in REVERSED or any(map(name.search, others)):
        return None  # otherwise "Papua New Guinea" would count as the answer Guinea
    told = _invented_answer(row.relation, f"{row.id}-{never}") if never else row.answer
    prompt, lead = (wording.format(told) for wording in REVERSED[row.relation])
    wrong = drawn(others, f"reverse-{row.id}")
    return Question(prompt, row.subject, lead, _other_names(row.subject), wrong)


def _indirect(row: Row, never: str) -> Question | None:
    capital = _capitals().get(row.answer) if row.relation == "city_country" else None
    if capital is None:
        return None
    prompt, lead = (wording.format(never or row.subject) for wording in ONWARD)
    wrong = wrong_answers(capital)
    return Question(prompt, capital.answer, lead, capital.aliases, wrong)


def _invented_answer(relation: str, seed: str) -> str:
    """An invented capital or element symbol; no real symbol contains J or Q."""
    if relation == "capital":
        return coined_names(1, seed)[0]
    rng = random.Random(seed)
    return rng.choice("JQ") + rng.choice(ascii_lowercase)


def _other_names(subject: str) -> tuple[str, ...]:
    """Aliases of a subject: those that a country has as an answer, an element's other spelling."""
    names = {subject.removeprefix("the "), SPELLINGS.get(subject, subject)}
    return tuple(sorted((names | _country_names().get(subject, set())) - {subject}))


@lru_cache(maxsize=1)
def _capitals() -> dict[str, Row]:
    return {row.subject: row for row in rows() if row.relation == "capital"}


@lru_cache(maxsize=1)
def _country_names() -> dict[str, set[str]]:
    names: dict[str, set[str]] = {}
    for row in rows():
        if row.relation == "city_country":
            names.setdefault(row.answer, set()).update(row.aliases)
    return names
