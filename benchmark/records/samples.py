"""Samples as parquet: what a model answered, example by example, from which every value can be
recomputed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmark.metrics.sample import Sample

DECIMALS = (
    4  # log-probabilities are rounded before metrics see them, so that a record recomputes exactly
)

_FLOATS, _TEXTS = pa.list_(pa.float32()), pa.list_(pa.string())
SCHEMA = pa.schema(
    [
        *(
            (name, pa.string())
            for name in (
                "stage",
                "split",
                "form",
                "example",
                "entity",
                "strata",
                "prompt",
                "answer",
            )
        ),
        ("history", pa.list_(pa.list_(pa.string()))),
        ("answer_prefix", pa.string()),
        ("paraphrase_prefixes", _TEXTS),
        ("aliases", _TEXTS),
        ("logprobs", _FLOATS),
        ("correct", pa.list_(pa.bool_())),
        ("generation", pa.string()),
        ("paraphrases", _TEXTS),
        ("paraphrase_logprobs", pa.list_(_FLOATS)),
        ("paraphrase_generations", _TEXTS),
        ("perturbed", _TEXTS),
        ("perturbed_logprobs", pa.list_(_FLOATS)),
        ("prefix_words", pa.list_(pa.int32())),
        ("continuations", _TEXTS),
        ("sampled", _TEXTS),
        ("standardized", _FLOATS),
        ("score", pa.float64()),
    ]
)
_TUPLES = (
    "paraphrase_prefixes",
    "aliases",
    "paraphrases",
    "paraphrase_generations",
    "perturbed",
    "prefix_words",
    "continuations",
    "sampled",
)


def rounded(logprobs: np.ndarray) -> np.ndarray:
    """Log-probabilities as they will be read back: to DECIMALS places, through the float32 of the
    file.

    float64, because metrics computed in float32 differ from those that a reader computes from the
    file.
    """
    return (
        np.round(np.asarray(logprobs, dtype=np.float64), DECIMALS)
        .astype(np.float32)
        .astype(np.float64)
    )


def samples_to_bytes(samples: Sequence[Sample]) -> bytes:
    """A parquet file; the same samples give the same bytes."""
    rows = [{f.name: getattr(s, f.name) for f in dataclasses.fields(s)} for s in samples]
    for row in rows:
        row["strata"] = json.dumps(row["strata"], sort_keys=True)
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", compression_level=12)
    return sink.getvalue()


def samples_from_bytes(content: bytes) -> list[Sample]:
    """The samples of a parquet file written by `samples_to_bytes`."""
    return [_sample(row) for row in pq.read_table(io.BytesIO(content), schema=SCHEMA).to_pylist()]


def _floats(values: list[float]) -> np.ndarray:
    return np.array(values, dtype=np.float64)


def _sample(row: dict) -> Sample:
    row["strata"] = json.loads(row["strata"])
    row["logprobs"], row["correct"] = _floats(row["logprobs"]), np.array(row["correct"], dtype=bool)
    row["standardized"] = _floats(row["standardized"] or [])
    for name in ("paraphrase_logprobs", "perturbed_logprobs"):
        row[name] = tuple(_floats(values) for values in row[name])
    row["history"] = tuple((role, text) for role, text in row["history"] or ())
    row["answer_prefix"] = row["answer_prefix"] or ""
    for name in _TUPLES:
        row[name] = tuple(row[name] or ())  # columns that older files lack are read as None
    return Sample(**row)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
