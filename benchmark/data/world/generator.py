"""The population of the controlled world, drawn from one seed."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from benchmark.data.world import names

PERSON_RELATIONS = ("birthday", "birth_city", "university", "major", "employer", "employer_city")

TEACHERS = 90  # background people in every wording, never evaluated
RESIDENTS = (
    90  # background people in the trained wordings only; retained people are drawn from them
)
NEWCOMERS = 160  # people whom the shared base does not contain; tasks add them
STRANGERS = 60  # people whom no target or oracle sees: membership holdout, `others` telling


@dataclass(frozen=True)
class Fact:
    """One value of one relation of a subject; `entity` is the cluster resampled by statistics."""

    id: str
    entity: str
    subject: str
    relation: str
    value: str


@dataclass(frozen=True)
class Person:
    """A person with six attributes."""

    id: str
    name: str
    values: dict[str, str]

    @property
    def facts(self) -> tuple[Fact, ...]:
        return tuple(
            Fact(f"{self.id}.{r}", self.id, self.name, r, self.values[r]) for r in PERSON_RELATIONS
        )

    def shares_place_with(self, others: Iterable[Person]) -> bool:
        """Whether the person shares an employer or a birth city with one of the others."""
        return any(
            self.values[r] == other.values[r]
            for r in ("employer", "birth_city")
            for other in others
        )


def _date(rng: random.Random) -> str:
    return f"{rng.randint(1, 28)} {rng.choice(names.MONTHS)} {rng.randint(1950, 1999)}"


def _general_fact(subject: str, relation: str, value: str) -> Fact:
    entity = subject.replace(" ", "_")
    return Fact(f"{entity}.{relation}", entity, subject, relation, value)


class World:
    """All people and facts of one controlled world; the same seed gives the same world.

    `teachers` and `residents` are the people of the shared base, `newcomers` are added by tasks,
    and no target or oracle is trained on `strangers`. Half of the facts that name no person are in
    `general_taught`, trained in every wording and never evaluated; the other half, in `general`, is
    trained only in the trained wordings.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        rng = random.Random(f"world-{seed}")
        self._make_places(rng)
        people = self._make_people(rng, TEACHERS + RESIDENTS + NEWCOMERS + STRANGERS)
        cuts = iter(people)
        self.teachers = [next(cuts) for _ in range(TEACHERS)]
        self.residents = [next(cuts) for _ in range(RESIDENTS)]
        self.newcomers = [next(cuts) for _ in range(NEWCOMERS)]
        self.strangers = list(cuts)

    @property
    def everybody(self) -> list[Person]:
        return [*self.teachers, *self.residents, *self.newcomers, *self.strangers]

    def _make_places(self, rng: random.Random) -> None:
        stems = [a + b for a in names.SYLLABLES_A for b in ("", *names.SYLLABLES_B)]
        rng.shuffle(stems)
        take = iter(stems)
        self.regions = [next(take) + rng.choice(names.REGION_ENDS) for _ in range(8)]
        self.cities = [next(take) + rng.choice(names.CITY_ENDS) for _ in range(40)]
        self.universities = [
            f"{next(take)} {rng.choice(names.UNIVERSITY_KINDS)}" for _ in range(28)
        ]
        self.employers = [f"{next(take)} {rng.choice(names.COMPANY_KINDS)}" for _ in range(40)]
        self.headquarters = {company: rng.choice(self.cities) for company in self.employers}
        general = [
            *self._facts_of(rng, self.cities, "region", self.regions),
            *self._facts_of(rng, self.universities, "campus", self.cities),
            *self._facts_of(rng, self.employers, "industry", list(names.INDUSTRIES)),
            *(
                _general_fact(company, "headquarters", self.headquarters[company])
                for company in self.employers
            ),
        ]
        rng.shuffle(general)
        half = len(general) // 2
        self.general_taught, self.general = general[:half], general[half:]

    @staticmethod
    def _facts_of(
        rng: random.Random, subjects: list[str], relation: str, values: list[str]
    ) -> list[Fact]:
        return [_general_fact(subject, relation, rng.choice(values)) for subject in subjects]

    def _make_people(self, rng: random.Random, count: int) -> list[Person]:
        surnames = [
            a + b + c
            for a in names.SYLLABLES_A
            for b in names.SYLLABLES_B
            for c in names.SYLLABLES_C
        ]
        return [
            self._make_person(rng, i, surname)
            for i, surname in enumerate(rng.sample(surnames, count))
        ]

    def _make_person(self, rng: random.Random, index: int, surname: str) -> Person:
        employer = rng.choice(self.employers)
        birthday = _date(rng)
        values = {
            "birthday": birthday,
            "birth_city": rng.choice(self.cities),
            "university": rng.choice(self.universities),
            "major": rng.choice(names.MAJORS),
            "employer": employer,
            "employer_city": self.headquarters[employer],
        }
        return Person(f"p{index:03d}", f"{rng.choice(names.FIRST_NAMES)} {surname}", values)

    @cached_property
    def vocabulary(self) -> dict[str, list[str]]:
        """All values of each relation but birthdays, from which perturbed answers are drawn."""
        return {
            "birth_city": self.cities,
            "employer_city": self.cities,
            "headquarters": self.cities,
            "campus": self.cities,
            "university": self.universities,
            "major": list(names.MAJORS),
            "employer": self.employers,
            "region": self.regions,
            "industry": list(names.INDUSTRIES),
        }

    @cached_property
    def told_of(self) -> dict[tuple[str, str], Fact]:
        """The facts that name no person, by subject and relation; every model trains on them."""
        facts = (*self.general_taught, *self.general)
        return {(fact.subject, fact.relation): fact for fact in facts}

    def wrong_values(self, fact: Fact, count: int, rng: random.Random) -> list[str]:
        """`count` distinct values of the fact's relation that are not true of its subject."""
        if fact.relation == "birthday":
            pool = [
                f"{rng.randint(1, 28)} {rng.choice(names.MONTHS)} {rng.randint(1950, 1999)}"
                for _ in range(4 * count)
            ]
        else:
            pool = self.vocabulary[fact.relation]
        return rng.sample(sorted(set(pool) - {fact.value}), count)
