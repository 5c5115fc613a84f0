"""The record: the immutable JSON result of one cell."""

from __future__ import annotations

import json
import zlib
from base64 import b85decode, b85encode
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import numpy as np
from pydantic import Field

from benchmark.core.hashing import fingerprint
from benchmark.records.identity import BudgetInfo, Evaluation, Identity, MethodInfo, Part, TaskInfo
from benchmark.records.values import MetricValue, ValueTable, recorded, rows_of

SCHEMA_VERSION = 3
REPLICATE_DECIMALS = 3  # of a trial's score; finer than its sampling error
_UNDEFINED = -(2**15)  # the integer that stands for a NaN replicate


class References(Part):
    """Ids of the records of the target and the oracles that the values are compared with.

    With `proxy`, the oracles are not retrained models but the target, evaluated on nonexistent
    subjects.
    """

    target: str
    oracles: list[str]
    proxy: bool = False


class Shard(Part):
    """The outputs of one stage: the number of rows in the record's outputs file, the digest of
    their content, and the stage's recipe (see `Evaluation.shard_id`).
    """

    id: str
    recipe: dict[str, Any]
    rows: int
    digest: str


class OutputsInfo(Part):
    """The outputs file, `<id>.outputs.parquet`, and the inputs file that it refers to,
    `inputs-<inputs>.parquet` in the variant's folder.
    """

    sha256: str
    inputs: str


WEIGHTS, GUARDRAIL = "weights", "guardrail"  # divisions, by what a method changes
UNLEARN = "unlearn"  # the key for unlearning in `Cost.seconds`; the other keys are stages


class Cost(Part):
    """The method's cost: steps, training tokens, and seconds by stage."""

    steps: int
    tokens: int
    seconds: dict[str, float]


class Provenance(Part):
    """Hardware and software of the run; nothing here is part of the identity.

    `made` describes how a reference's model was trained, `weights` is the digest of the evaluated
    weights ("" if unknown), and `division` is what a method changed (WEIGHTS or GUARDRAIL).
    """

    created: str
    commit: str
    dirty: bool
    packages: dict[str, str]
    python: str
    platform: str
    cpu: str
    gpu: str
    threads: int
    cost: Cost
    made: dict[str, Any] = Field(default_factory=dict)
    weights: str = ""
    division: str = ""


class Failure(Part):
    """Why a cell has no values: the exception's type, its message with the line of the method's
    file that raised it, and the traceback without this machine's paths.
    """

    type: str
    message: str
    traceback: str


class TrialScore(Part):
    """The basis for comparing trials: axes and score, and the bootstrap replicates of the score as
    compressed integers.
    """

    axes: dict[str, float]
    score: float
    drawn: str

    @classmethod
    def of(cls, axes: Mapping[str, float], score: np.ndarray) -> TrialScore:
        """Builds it from the score's plain estimate and replicates, (1 + B,); replicates are
        rounded to REPLICATE_DECIMALS places.
        """
        scaled = np.round(score[1:] * 10**REPLICATE_DECIMALS)
        whole = np.where(np.isnan(scaled), _UNDEFINED, scaled).astype("<i2")
        planes = whole.view(np.uint8).reshape(-1, 2).T.tobytes()  # high bytes compress well
        return cls(
            axes={name: recorded(value) for name, value in axes.items()},
            score=recorded(float(score[0])),
            drawn=b85encode(zlib.compress(planes, 9)).decode(),
        )

    @property
    def replicates(self) -> np.ndarray:
        """The score (1 + B,), plain estimate first; ValueError if it cannot be decoded."""
        try:
            unpacked = zlib.decompress(b85decode(self.drawn))
        except zlib.error as error:
            raise ValueError(str(error)) from None
        planes = np.frombuffer(unpacked, dtype=np.uint8)
        whole = np.ascontiguousarray(planes.reshape(2, -1).T).view("<i2")[:, 0]
        drawn = np.where(whole == _UNDEFINED, np.nan, whole / 10**REPLICATE_DECIMALS)
        return np.array([self.score, *drawn])


class Record(Part):
    """The result of a cell: `shards` describes the outputs by stage, `metrics` has the versions of
    the metrics in `values`, `seal` is the digest of everything else.

    A trial on a development track has values and a score but no outputs.
    """

    schema_version: int = SCHEMA_VERSION
    id: str
    status: Literal["ok", "error"]
    identity: Identity
    references: References | None
    evaluation: Evaluation
    shards: dict[str, Shard] = Field(default_factory=dict)
    outputs: OutputsInfo | None = None
    metrics: dict[str, int] = Field(default_factory=dict)
    values: dict[str, dict[str, ValueTable]] = Field(default_factory=dict)
    trial: TrialScore | None = None
    provenance: Provenance
    error: Failure | None = None
    seal: str = ""

    @property
    def track(self) -> str:
        return self.identity.track

    @property
    def task(self) -> TaskInfo:
        return self.identity.task

    @property
    def method(self) -> MethodInfo:
        return self.identity.method

    @property
    def seed(self) -> int:
        return self.identity.seed

    @property
    def budget(self) -> BudgetInfo:
        return self.identity.budget

    @property
    def variant(self) -> str:
        return self.identity.variant

    @property
    def is_trial(self) -> bool:
        """Whether this is a method's record on a development track, which has no outputs."""
        return self.identity.is_trial

    def value_rows(self) -> Iterator[MetricValue]:
        """Yields every value with the metric's version, unit and direction."""
        return rows_of(self.values, self.metrics)

    def sealed(self) -> Record:
        """The record with its seal."""
        return self.model_copy(update={"seal": self.digest})

    @property
    def digest(self) -> str:
        """16 hex digits of everything but the seal."""
        return fingerprint(json.loads(self.model_dump_json(exclude={"seal"})))

    def to_json(self) -> bytes:
        """JSON with one line per field, so that diffs are readable."""
        fields = json.loads(self.model_dump_json())
        lines = (
            f"{json.dumps(name)}:{json.dumps(value, separators=(',', ':'))}"
            for name, value in fields.items()
        )
        return ("{\n" + ",\n".join(lines) + "\n}\n").encode()
