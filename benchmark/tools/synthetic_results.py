"""Makes a folder of as many records as wanted from published ones, to measure the cost of growth:
`python -m benchmark.tools.synthetic_results --count 10000 --out DIR`.

Each copy of a model's tracks has several generations of methods under new names. No two outputs
have the same bytes, so that no computation is shared between copies.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from itertools import count, islice
from pathlib import Path

from benchmark.records.identity import DEVELOPMENT_SUFFIX, Identity
from benchmark.records.schema import Record
from benchmark.records.store import ResultStore, outputs_content

GENERATIONS = 4  # of methods per model
FOOTER = 8  # bytes at the end of a parquet file: its footer's length and a magic number

Copy = tuple[Record, int, int]  # with the numbers of its model and generation, both from 0


def copies(records: Sequence[Record]) -> Iterator[Copy]:
    """Yields copies endlessly, variant by variant, target and oracles first and once per model."""
    ordered = sorted(
        records, key=lambda r: (r.track, r.variant, not r.identity.is_reference, r.seed)
    )
    for number in count():
        model, generation = divmod(number, GENERATIONS)
        for record in ordered:
            if not (generation and record.identity.is_reference):
                yield record, model, generation


def write_copy(
    source: ResultStore, out: ResultStore, copied: Copy, identities: Mapping[str, Identity]
) -> None:
    """Writes a copy under a new name; `identities` are those of the published records, by id."""
    record, model, generation = copied
    identity = _renamed(record.identity, model, generation)
    shards = {
        stage: s.model_copy(update={"id": record.evaluation.shard_id(identity.id, stage, s.recipe)})
        for stage, s in record.shards.items()
    }
    changes: dict = {"id": identity.id, "identity": identity, "shards": shards}
    if named := record.references:
        target, *oracles = (
            _renamed(identities[i], model, 0).id for i in (named.target, *named.oracles)
        )
        changes["references"] = named.model_copy(update={"target": target, "oracles": oracles})
    files = None
    if record.outputs:
        outputs, inputs = outputs_content(source.path_of(record), record)
        files = (_tagged(outputs, identity.id), inputs)
    out.write_files(record.model_copy(update=changes), files)


def _renamed(identity: Identity, model: int, generation: int) -> Identity:
    changes: dict = {"track": _track(identity.track, model)}
    if generation:
        name = f"{identity.method.name}_{generation + 1}"
        changes["method"] = identity.method.model_copy(update={"name": name})
    return identity.model_copy(update=changes)


def _track(name: str, model: int) -> str:
    """The track name of a copied model; the suffix of a development track stays at the end."""
    plain = name.removesuffix(DEVELOPMENT_SUFFIX)
    return f"{plain}-{model + 1}{name.removeprefix(plain)}"


def _tagged(parquet: bytes, tag: str) -> bytes:
    """The same table in different bytes: the tag goes before the footer, where readers, which find
    the footer from the end, never look.
    """
    footer = FOOTER + int.from_bytes(parquet[-FOOTER:][:4], "little")
    return parquet[:-footer] + tag.encode() + parquet[-footer:]


def make(source: Path, out: Path, wanted: int) -> None:
    """Writes `wanted` copies of the records below `source` into `out`."""
    from_store, to_store = ResultStore(source), ResultStore(out)
    records = list(from_store.read_all())
    identities = {record.id: record.identity for record in records}
    for copied in islice(copies(records), wanted):
        write_copy(from_store, to_store, copied, identities)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, required=True, help="Number of records.")
    parser.add_argument("--results", type=Path, default=Path("results"), help="Published records.")
    parser.add_argument("--out", type=Path, required=True, help="Folder to create.")
    given = parser.parse_args()
    make(given.results, given.out, given.count)


if __name__ == "__main__":
    main()
