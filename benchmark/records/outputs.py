"""Outputs as parquet: a model's outputs for each example, from which every value can be recomputed.

The inputs are the same for every cell of a variant and are stored once, in an inputs file; each row
of outputs refers to a row of that file. Log-probabilities are integers in units of ten-thousandths.
Per-token values are stored only if a metric reads them. For paraphrases and wrong answers, and for
all answers at intermediate checkpoints and at points along an attack, only the sum and the number
of tokens are stored.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmark.metrics.sample import Sample
from benchmark.metrics.stages import ON_THE_WAY, POINT, recorded_stage, sort_of

DECIMALS = 4  # log-probabilities are rounded before metrics read them, so values recompute exactly
SCALE = 10**DECIMALS
MINUS_INFINITY = -(2**63)  # the integer that stands for -inf; NaN is null

_TEXTS, _NUMBERS = pa.list_(pa.string()), pa.list_(pa.int64())
INPUTS = pa.schema(
    [
        *((name, pa.string()) for name in ("split", "form", "example", "entity", "strata")),
        ("history", pa.list_(_TEXTS)),
        *((name, pa.string()) for name in ("prompt", "answer_prefix", "answer")),
        *((name, _TEXTS) for name in ("aliases", "paraphrases", "paraphrase_prefixes")),
        ("perturbed", _TEXTS),
        ("prefix_words", _NUMBERS),
    ]
)
# Input fields that a stage used only if its rows have the corresponding output.
OPTIONAL = {"perturbed": "perturbed_logprobs", "prefix_words": "continuations"}
OUTPUTS = pa.schema(
    [
        ("stage", pa.string()),
        ("input", pa.int32()),
        ("logprobs", _NUMBERS),
        ("tokens", pa.int32()),
        ("correct", pa.list_(pa.bool_())),
        ("hits", pa.int32()),
        ("generation", pa.string()),
        ("paraphrase_logprobs", _NUMBERS),
        ("paraphrase_tokens", _NUMBERS),
        ("paraphrase_generations", _TEXTS),
        ("perturbed_logprobs", _NUMBERS),
        ("perturbed_tokens", _NUMBERS),
        ("continuations", _TEXTS),
        ("sampled", _TEXTS),
        ("standardized", _NUMBERS),
        ("score", pa.float64()),
    ]
)


def rounded(logprobs: np.ndarray) -> np.ndarray:
    """Log-probabilities as they are read back: rounded to DECIMALS places, in float64."""
    return np.round(np.asarray(logprobs, dtype=np.float64) * SCALE) / SCALE


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Inputs:
    """The inputs shared by all cells of a variant, as ordered rows that outputs refer to."""

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self.rows = [dict(row) for row in rows]
        self.index = {_key(row): number for number, row in enumerate(self.rows)}

    @classmethod
    def of(cls, samples: Iterable[Sample]) -> Inputs:
        """The inputs of a cell's samples, sorted by split and example; a stage may lack the
        OPTIONAL fields of an example.

        Raises ValueError if two stages have different inputs for the same example.
        """
        rows: dict[tuple[str, str], dict[str, Any]] = {}
        for sample in samples:
            row = _asked(sample)
            known = rows.setdefault(_key(row), row)
            for name, value in row.items():
                if known[name] == value or (name in OPTIONAL and not value):
                    continue
                if name not in OPTIONAL or known[name]:
                    raise ValueError(f"{sample.split}/{sample.example} has two different {name}")
                known[name] = value
        return cls([rows[key] for key in sorted(rows)])

    @classmethod
    def from_bytes(cls, content: bytes) -> Inputs:
        return cls(pq.read_table(io.BytesIO(content), schema=INPUTS).to_pylist())

    @cached_property
    def fields(self) -> list[dict[str, Any]]:
        """The `Sample` fields that each row determines."""
        return [_fields(row) for row in self.rows]

    def to_bytes(self) -> bytes:
        """A parquet file; the same inputs give the same bytes."""
        return _to_bytes(self.rows, INPUTS)


def outputs_to_bytes(samples: Sequence[Sample], inputs: Inputs) -> bytes:
    """A parquet file of the samples' outputs; the same samples give the same bytes."""
    return _to_bytes(output_rows(samples, inputs), OUTPUTS)


def output_rows(samples: Sequence[Sample], inputs: Inputs) -> list[dict[str, Any]]:
    """One row per sample, with log-probabilities as integers; digests are computed from these."""
    return [_row(sample, inputs.index[sample.split, sample.example]) for sample in samples]


def samples_of(
    outputs: bytes, inputs: Inputs, sorts: Collection[str] | None = None
) -> list[Sample]:
    """The samples in an outputs file; with `sorts`, those of stages of these sorts (`sort_of`).

    Raises ArrowException, ValueError, TypeError, KeyError or IndexError if the file is not an
    outputs file or belongs to other inputs.
    """
    table = pq.read_table(io.BytesIO(outputs), schema=OUTPUTS)
    if sorts is not None:
        table = _filtered(table, sorts)
    numbers = table["input"].to_pylist()
    if any(not 0 <= number < len(inputs.rows) for number in numbers):
        raise IndexError("a row has no input")
    columns = _columns(table)
    return [
        _sample(inputs.fields[number], dict(zip(columns, row, strict=True)))
        for number, *row in zip(numbers, *columns.values(), strict=True)
    ]


def stage_digests(samples: Sequence[Sample]) -> dict[str, tuple[int, str]]:
    """(number of rows, digest of their content) by the stage under which a record stores them.

    The digest covers the outputs with the split and id of each example, in order; it does not
    depend on the compression of the file.
    """
    stages: dict[str, list[dict[str, Any]]] = {}
    inputs = Inputs.of(samples)
    for sample, row in zip(samples, output_rows(samples, inputs), strict=True):
        named = row | {"input": [sample.split, sample.example]}
        stages.setdefault(recorded_stage(sample.stage, sample.split), []).append(named)
    return {
        stage: (len(rows), sha256(json.dumps(rows, sort_keys=True).encode())[:16])
        for stage, rows in stages.items()
    }


def _to_bytes(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> bytes:
    """A parquet file whose integers are byte-stream split, which shrinks them to two thirds."""
    sink = io.BytesIO()
    pq.write_table(
        pa.Table.from_pylist(list(rows), schema=schema),
        sink,
        compression="zstd",
        compression_level=19,
        use_dictionary=False,
        column_encoding=dict.fromkeys(_numbers(schema), "BYTE_STREAM_SPLIT"),
        write_statistics=False,
        store_schema=False,
    )
    return sink.getvalue()


def _numbers(schema: pa.Schema) -> Iterator[str]:
    """The integer columns, by their parquet names."""
    for column in schema:
        if column.type == pa.int32():
            yield column.name
        elif column.type == _NUMBERS:
            yield f"{column.name}.list.element"


def _key(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["split"], row["example"]


def _asked(sample: Sample) -> dict[str, Any]:
    row = {name: getattr(sample, name) for name in INPUTS.names}
    row = {name: list(value) if isinstance(value, tuple) else value for name, value in row.items()}
    row["history"] = [list(turn) for turn in sample.history]
    return row | {"strata": json.dumps(sample.strata, sort_keys=True)}


def _row(sample: Sample, number: int) -> dict[str, Any]:
    whole = sort_of(sample.stage) not in (*ON_THE_WAY, POINT)
    row = {
        "stage": sample.stage,
        "input": number,
        "logprobs": _whole(sample.logprobs) if whole else [_total(sample.logprobs)],
        "tokens": None if whole else len(sample.logprobs),
        "correct": np.asarray(sample.correct, dtype=bool).tolist() if whole else [],
        "hits": None if whole else int(np.sum(sample.correct)),
        "generation": sample.generation,
        "paraphrase_generations": list(sample.paraphrase_generations),
        "continuations": list(sample.continuations),
        "sampled": list(sample.sampled),
        "standardized": _whole(sample.standardized),
        "score": sample.score,
    }
    for name in ("paraphrase", "perturbed"):
        logprobs = getattr(sample, f"{name}_logprobs")
        row[f"{name}_logprobs"] = [_total(tokens) for tokens in logprobs]
        row[f"{name}_tokens"] = [len(tokens) for tokens in logprobs]
    return row


def _whole(logprobs: np.ndarray) -> list[int | None]:
    return [_number(value) for value in np.asarray(logprobs, dtype=np.float64).tolist()]


def _total(logprobs: np.ndarray) -> int | None:
    return _number(math.fsum(logprobs))


def _number(value: float) -> int | None:
    if math.isnan(value):
        return None
    return MINUS_INFINITY if math.isinf(value) else round(value * SCALE)


def _filtered(table: pa.Table, sorts: Collection[str]) -> pa.Table:
    stages = [stage for stage in table["stage"].unique().to_pylist() if sort_of(stage) in sorts]
    return table.filter(pc.is_in(table["stage"], pa.array(stages, pa.string())))


def _columns(table: pa.Table) -> dict[str, list]:
    """The `Sample` fields that outputs determine, one value per row. The arrays are slices of one
    array per column, since making each of them would take most of the time.
    """
    columns = {name: table[name].to_pylist() for name in ("stage", "generation", "score")}
    for name in ("paraphrase_generations", "continuations", "sampled"):
        columns[name] = [tuple(texts) for texts in table[name].to_pylist()]
    for name in ("paraphrase", "perturbed"):
        totals, tokens = table[f"{name}_logprobs"], table[f"{name}_tokens"]
        columns[f"{name}_logprobs"] = _answers(totals.combine_chunks(), tokens.combine_chunks())
    standardized, correct = (table[name].combine_chunks() for name in ("standardized", "correct"))
    columns["standardized"] = _slices(_floats(standardized.values), standardized.offsets)
    columns["logprobs"] = _own(table["logprobs"].combine_chunks(), table["tokens"])
    columns["correct"] = [
        known if tokens is None else np.arange(tokens) < hits
        for known, tokens, hits in zip(
            _slices(correct.values.to_numpy(zero_copy_only=False), correct.offsets),
            table["tokens"].to_pylist(),
            table["hits"].to_pylist(),
            strict=True,
        )
    ]
    return columns


def _own(logprobs: pa.ListArray, tokens: pa.ChunkedArray) -> list[np.ndarray]:
    """Log-probabilities (T,) of each row's answer; where `tokens` is not null, only their sum is
    stored.
    """
    lengths, counts = np.diff(logprobs.offsets), tokens.fill_null(-1).to_numpy()
    summed = counts >= 0
    if (lengths[summed] != 1).any():
        raise ValueError("a row with a token count needs exactly one sum")
    flat = _evenly(_floats(logprobs.values), np.repeat(np.where(summed, counts, 1), lengths))
    return _slices(flat, _ends(np.where(summed, counts, lengths)))


def _answers(totals: pa.ListArray, tokens: pa.ListArray) -> list[tuple[np.ndarray, ...]]:
    """Log-probabilities (T,) of each of a row's answers, of which only the sums are stored."""
    if not totals.offsets.equals(tokens.offsets):
        raise ValueError("sums and token counts differ in number")
    counts = tokens.values.to_numpy()
    answers = _slices(_evenly(_floats(totals.values), counts), _ends(counts))
    return [tuple(own) for own in _slices(answers, totals.offsets)]


def _floats(numbers: pa.Int64Array) -> np.ndarray:
    """Log-probabilities from stored integers."""
    values = numbers.to_numpy(zero_copy_only=False).astype(np.float64)
    return np.where(values == MINUS_INFINITY, -np.inf, values / SCALE)


def _evenly(sums: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """Log-probabilities of the answers, concatenated: at each token, the mean of its answer."""
    means = np.divide(sums, tokens, out=np.zeros(len(sums)), where=tokens > 0)
    return np.repeat(means, tokens)


def _ends(counts: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(counts)])


def _slices(values: Any, ends: pa.Int32Array | np.ndarray) -> list:
    """The values between each two successive ends."""
    return [values[start:end] for start, end in pairwise(ends.tolist())]


def _fields(row: Mapping[str, Any]) -> dict[str, Any]:
    fields = {name: tuple(v) if isinstance(v, list) else v for name, v in row.items()}
    fields["history"] = tuple((role, text) for role, text in row["history"])
    return fields | {"strata": json.loads(row["strata"])}


def _sample(asked: Mapping[str, Any], given: Mapping[str, Any]) -> Sample:
    left_out = {name: () for name, output in OPTIONAL.items() if not given[output]}
    return Sample(**{**asked, **left_out, **given})
