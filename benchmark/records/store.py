"""The results folder: `<track>/<task>/<variant>/<method>/<id>.json` beside
`<id>.samples.parquet`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

from pyarrow import ArrowException
from pydantic import BaseModel, ValidationError

from benchmark.errors import BadInput
from benchmark.metrics.sample import Sample
from benchmark.records.samples import samples_from_bytes, sha256
from benchmark.records.schema import SCHEMA_VERSION, Record


def write_atomically(path: Path, content: bytes) -> None:
    """Writes to a temporary name in the same folder, fsyncs, renames: a reader sees all of it or
    nothing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(
        f".{path.name}-{uuid4().hex}"
    )  # process ids repeat from host to host
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


class ResultStore:
    """Reads and writes the records below a folder."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    def path(self, track: str, task: str, variant: str, method: str, record_id: str) -> Path:
        """Where the record lives; a task without named variants uses the folder `all`."""
        return self.root / track / task / (variant or "all") / method / f"{record_id}.json"

    def path_of(self, record: Record) -> Path:
        task = record.task
        return self.path(record.track, task.name, task.variant, record.method.name, record.id)

    def write(self, record: Record, samples: bytes | None) -> Path:
        """Writes samples first, so that a record never stands without them."""
        path = self.path_of(record)
        if samples is not None:
            assert record.samples is not None
            write_atomically(path.parent / record.samples.file, samples)
        write_atomically(path, record.model_dump_json(indent=1).encode() + b"\n")
        if samples is None:  # a failed rerun leaves no samples of the run before
            path.with_suffix(".samples.parquet").unlink(missing_ok=True)
        return path

    def paths(self) -> list[Path]:
        """All record files, in order of their names."""
        return sorted(self.root.glob("*/*/*/*/*.json"))

    def read_all(self) -> Iterator[Record]:
        for path in self.paths():
            yield read_record(path)

    def samples_of(self, record: Record) -> list[Sample]:
        """The record's samples; BadInput if the file is missing or is not the one that was
        recorded.
        """
        return read_samples(self.path_of(record), record)


class _Versioned(BaseModel):
    schema_version: int


def read_record(path: Path) -> Record:
    """A checked record; BadInput names the file, the field and what was found."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise BadInput(f"{path}: no such record") from None
    try:
        found = _Versioned.model_validate_json(content).schema_version
        if found != SCHEMA_VERSION:  # before the fields, which another schema has others of
            raise BadInput(
                f"{path}: schema_version: found {found}, this version reads {SCHEMA_VERSION}"
            )
        return Record.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(p) for p in first["loc"]) or "file"
        raise BadInput(f"{path}: {where}: {first['msg']}") from None


def samples_content(path: Path, record: Record) -> bytes:
    """Bytes of the samples file beside the record at `path`, their hash checked."""
    if record.samples is None:
        raise BadInput(f"{path}: samples: a record with status {record.status} has none")
    file = path.parent / record.samples.file
    if not file.is_file():
        raise BadInput(f"{file}: missing; the record {path.name} names it as its samples")
    content = file.read_bytes()
    found = sha256(content)
    if found != record.samples.sha256:
        raise BadInput(
            f"{file}: sha256 is {found[:12]}…, the record says {record.samples.sha256[:12]}…"
        )
    return content


def read_samples(path: Path, record: Record) -> list[Sample]:
    """The samples beside the record at `path`; BadInput if their file is not the recorded one,
    or not of samples.
    """
    return parsed(samples_content(path, record), path)


def parsed(content: bytes, path: Path) -> list[Sample]:
    """The samples in the bytes of a file beside the record at `path`; BadInput if they are none."""
    try:
        return samples_from_bytes(content)
    except (ArrowException, ValueError, TypeError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise BadInput(
            f"{path.with_suffix('.samples.parquet')}: no samples can be read: {reason}"
        ) from None
