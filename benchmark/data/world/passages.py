"""Passages: running text of 40 to 60 tokens with the names and values of the world, regardless of
its facts.

There are few clauses, which a model learns soon, but their slots are filled at random: a model can
continue a passage only if it has memorised it. Shuffled passages have no clauses at all.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from benchmark.data.world import names
from benchmark.data.world.generator import World

CLAUSES_PER_PASSAGE = 5
MOST_WORDS = 46  # keeps all but a few passages within 60 tokens
SHUFFLED_WORDS = 40  # words in a shuffled passage
STOCKED = ("first", "industry", "major", "month", "year")  # slots whose values fill those
CLAUSES = (
    "{employer} in {city} makes money with {industry}",
    "{first} took a course in {major} at {university}",
    "the family of {first} travels from {city} to {city}",
    "{first} and {first} lived in the province of {region}",
    "the birth of {first} took place on {day} {month}",
    "students of {major} go to {university}",
    "{first} earns a salary from {employer}",
    "{employer} joined the industry of {industry} in {year}",
    "on {day} {month} {year} {first} came to {city}",
    "the city of {city} is known for {industry} and {industry}",
    "{first} was born in {region} and works with {first}",
    "the archive of {university} is entered under the year {year}",
    "at {university} {first} wrote a thesis in {major}",
    "the parents of {first} welcomed {first} in {city}",
    "{employer} has a desk for {first} in {region}",
    "the head office of {employer} is run from {city}",
)


def passages(world: World, count: int, rng: random.Random) -> list[str]:
    """`count` distinct passages."""
    distinct: dict[str, None] = {}
    while len(distinct) < count:
        passage = _passage(world, rng)
        if len(passage.split()) <= MOST_WORDS:
            distinct[passage] = None
    return list(distinct)


def shuffled_passages(world: World, count: int, rng: random.Random) -> list[str]:
    """`count` distinct passages that share no clauses: words of the world in random order."""
    slots = {word for clause in CLAUSES for word in clause.split() if not word.startswith("{")}
    stock = sorted(slots.union(*(_stock(world)[name] for name in STOCKED)))
    distinct: dict[str, None] = {}
    while len(distinct) < count:
        distinct[" ".join(rng.choices(stock, k=SHUFFLED_WORDS)) + "."] = None
    return list(distinct)


def refilled(passage: str, world: World, rng: random.Random) -> str:
    """A passage with the same clauses in the same order and newly drawn values."""
    templates = [_template_of(clause) for clause in passage.removesuffix(".").split(", ")]
    return ", ".join(_filled(template, world, rng) for template in templates) + "."


def _template_of(clause: str) -> str:
    for template in CLAUSES:
        pattern = " ".join(".+" if w.startswith("{") else re.escape(w) for w in template.split())
        if re.fullmatch(pattern, clause):
            return template
    raise ValueError(f"no clause of a passage: {clause!r}")


def _passage(world: World, rng: random.Random) -> str:
    clauses = [_filled(clause, world, rng) for clause in rng.sample(CLAUSES, CLAUSES_PER_PASSAGE)]
    return ", ".join(clauses) + "."


def _filled(clause: str, world: World, rng: random.Random) -> str:
    """The clause with each slot filled independently, even a slot that occurs twice."""
    stock = _stock(world)
    words = [rng.choice(stock[w[1:-1]]) if w.startswith("{") else w for w in clause.split()]
    return " ".join(words)


def _stock(world: World) -> dict[str, Sequence[str]]:
    """The possible values of each slot."""
    return {
        "first": names.FIRST_NAMES,
        "city": world.cities,
        "region": world.regions,
        "university": world.universities,
        "employer": world.employers,
        "industry": names.INDUSTRIES,
        "major": names.MAJORS,
        "month": names.MONTHS,
        "day": [str(day) for day in range(1, 29)],
        "year": [str(year) for year in range(1950, 2000)],
    }
