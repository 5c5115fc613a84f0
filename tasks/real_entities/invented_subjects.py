"""Nonexistent subjects for every relation, with names in the style of real ones."""

from __future__ import annotations

import difflib
import random
import re
from collections import defaultdict
from collections.abc import Iterator

from tasks.real_entities.fact_sources import (
    Row,
    countries,
    folded,
    geonames,
    library,
    split,
    table,
    without_article,
    words,
)

SEED = "real_entities 1"
# An invented country or element that is more similar to a real one is redrawn.
TOO_SIMILAR = 0.85
INVENTED = {"author": 200, "capital": 160, "city_country": 160}
INVENTED_ELSEWHERE = 100


class Inventor:
    """A generator of names in the style of real ones that rejects names already in use."""

    def __init__(self, rows: list[Row]) -> None:
        self.rng = random.Random(SEED)
        self.zipf = library("wordfreq").zipf_frequency
        self.styles: dict[str, list[dict[str, str]]] = defaultdict(list)
        for style in table("invented_names"):
            self.styles[style["kind"]].append(style)
        self.taken = real_names(rows)
        self.similar = [
            *(folded(without_article(country.name)) for country in countries().values()),
            *(folded(row.subject) for row in rows if row.relation == "symbol"),
            *(folded(entry["name"]) for entry in table("taken_names")),
        ]

    def subjects(self, relation: str, patterns: list[str], wanted: int) -> Iterator[str]:
        """Yields `wanted` subjects of one relation, cycling through the patterns."""
        for i in range(wanted):
            pattern = patterns[i % len(patterns)]
            kind = re.findall(r"\{(\w+)\}", pattern)[0]
            yield pattern.format(**{kind: self.name(kind)})

    def name(self, kind: str) -> str:
        while True:
            style = self.rng.choice(self.styles[kind])
            parts = [
                self.rng.choice(style[column].split()) for column in ("starts", "middles", "ends")
            ]
            drawn = "".join(parts).replace("-", "")
            if self.is_free(drawn, kind):
                self.taken.add(folded(drawn))
                return drawn

    def is_free(self, name: str, kind: str) -> bool:
        if (
            folded(name) in self.taken
            or self.zipf(name, "en") > 0
            or re.search(r"(.)\1\1", folded(name))
        ):
            return False
        near = kind in ("country", "element")
        return not (
            near and difflib.get_close_matches(folded(name), self.similar, n=1, cutoff=TOO_SIMILAR)
        )


def real_names(rows: list[Row]) -> set[str]:
    """Every name in the sources, and every word of the facts, folded."""
    names = {
        folded(alias)
        for city in geonames().cities.values()
        for alias in (city["name"], *city["alternatenames"])
    }
    names |= {
        folded(text) for c in countries().values() for text in (c.name, c.capital, *c.aliases)
    }
    names |= {folded(entry["name"]) for entry in table("taken_names")}
    for row in rows:
        texts = (row.subject, row.answer, *split(row.aliases))
        names |= {folded(text) for text in texts} | {word for text in texts for word in words(text)}
    return names


def invented(rows: list[Row]) -> list[dict[str, str]]:
    """Nonexistent subjects for every relation, sorted."""
    patterns: dict[str, list[str]] = defaultdict(list)
    for entry in table("invented_patterns"):
        patterns[entry["relation"]] += [entry["pattern"]] * int(entry["times"])
    inventor = Inventor(rows)
    subjects = [
        {"relation": relation, "subject": subject}
        for relation in sorted(patterns)
        for subject in inventor.subjects(
            relation, patterns[relation], INVENTED.get(relation, INVENTED_ELSEWHERE)
        )
    ]
    return sorted(subjects, key=lambda entry: (entry["relation"], entry["subject"]))
