"""A folder of as many records as wanted, made from published ones, to see what growth costs:
`python -m benchmark.tools.synthetic_results --count 10000 --out DIR`.

Each copy of a model's tracks has several generations of methods under names of their own. No two
outputs have the same bytes, so that nothing is computed once for many.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from itertools import count, islice
from pathlib import Path

from benchmark.core.hashing import fingerprint
from benchmark.records.samples import sha256
from benchmark.records.schema import DEVELOPMENT_SUFFIX, ORACLE, TARGET, Record
from benchmark.records.store import ResultStore, samples_content

GENERATIONS = 4  # of methods of each model
FOOTER = 8  # bytes at the end of a parquet file: the length of its footer, and a mark

Copy = tuple[Record, int, int]  # with the number of its model and of its generation, both from 0


def copies(records: Sequence[Record]) -> Iterator[Copy]:
    """Copies without end, variant by variant, target and oracles first and once for each model."""
    ordered = sorted(records, key=lambda r: (r.track, r.variant, not _is_reference(r), r.seed))
    for number in count():
        model, generation = divmod(number, GENERATIONS)
        for record in ordered:
            if not (generation and _is_reference(record)):
                yield record, model, generation


def _is_reference(record: Record) -> bool:
    return record.method.name in (TARGET, ORACLE)


def write_copy(source: ResultStore, out: ResultStore, copied: Copy) -> None:
    """Writes a copy with names and ids of its own: all that knows how records are stored."""
    record, model, generation = copied
    own = fingerprint([record.id, model, generation])
    told = record.references
    changes: dict = {"id": own, "track": _track(record.track, model)}
    if generation:
        name = f"{record.method.name}_{generation + 1}"
        changes["method"] = record.method.model_copy(update={"name": name})
    if told:
        target, *oracles = (fingerprint([i, model, 0]) for i in (told.target, *told.oracles))
        changes["references"] = told.model_copy(update={"target": target, "oracles": oracles})
    content = None
    if record.samples:
        content = _tagged(samples_content(source.path_of(record), record), own)
        file = {"file": f"{own}.samples.parquet", "sha256": sha256(content)}
        changes["samples"] = record.samples.model_copy(update=file)
    out.write(record.model_copy(update=changes), content)


def _track(name: str, model: int) -> str:
    """The name of a model's track; what says that it is for development stays at the end."""
    plain = name.removesuffix(DEVELOPMENT_SUFFIX)
    return f"{plain}-{model + 1}{name.removeprefix(plain)}"


def _tagged(parquet: bytes, tag: str) -> bytes:
    """The same table in other bytes: what stands before the footer, which is found from the end,
    is read by nobody.
    """
    footer = FOOTER + int.from_bytes(parquet[-FOOTER:][:4], "little")
    return parquet[:-footer] + tag.encode() + parquet[-footer:]


def make(source: Path, out: Path, wanted: int) -> None:
    """Writes `wanted` copies of the records below `source` into `out`."""
    from_store, to_store = ResultStore(source), ResultStore(out)
    for copied in islice(copies(list(from_store.read_all())), wanted):
        write_copy(from_store, to_store, copied)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, required=True, help="How many records.")
    parser.add_argument("--results", type=Path, default=Path("results"), help="The published ones.")
    parser.add_argument("--out", type=Path, required=True, help="The folder to make.")
    given = parser.parse_args()
    make(given.results, given.out, given.count)


if __name__ == "__main__":
    main()
