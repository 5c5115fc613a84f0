"""Builds facts.csv, facts with frequency and bucket, and invented.csv, invented subjects.

`python -m tasks.real_entities.make_facts` writes both files; the same inputs give the same bytes.
"""

from __future__ import annotations

import csv
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

from tasks.real_entities.fact_sources import COLUMNS, NEEDED, Row, all_rows, library, table
from tasks.real_entities.invented_subjects import invented

HERE = Path(__file__).parent
LOW, HIGH = 33, 67  # percentiles of frequency within a relation, where buckets end


def frequencies(rows: list[Row]) -> list[float]:
    """Frequencies of the rows of one relation: corpus counts if every row has one, otherwise Zipf
    frequencies, never a mixture.
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
    """Yields the rows of one relation with buckets; a value at a cut is in the bucket below it."""
    values = frequencies(rows)
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    # Interpolation has rounding errors, which must not decide on which side of a cut a tie falls.
    low, high = round(cuts[LOW - 1], 6), round(cuts[HIGH - 1], 6)
    for row, value in zip(rows, values, strict=True):
        yield replace(row, bucket="low" if value <= low else "mid" if value <= high else "high")


def facts() -> list[Row]:
    """All facts with frequencies and buckets, sorted by relation and id."""
    rows = with_frequency(all_rows())
    by_relation: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_relation[row.relation].append(row)
    finished = [row for same in by_relation.values() for row in with_buckets(same)]
    return sorted(finished, key=lambda row: (row.relation, row.id))


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
