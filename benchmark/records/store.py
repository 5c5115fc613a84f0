"""The results folder: records at `<track>/<task>/<variant>/<method>/<id>.json`, each next to its
`<id>.outputs.parquet`; the inputs shared by a variant's cells are in the variant's folder.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from uuid import uuid4

from pyarrow import ArrowException
from pydantic import BaseModel, ValidationError

from benchmark.errors import BadInput
from benchmark.metrics.sample import Sample
from benchmark.records.identity import ORACLE, TARGET, Identity
from benchmark.records.outputs import Inputs, outputs_to_bytes, samples_of, sha256
from benchmark.records.schema import SCHEMA_VERSION, OutputsInfo, Record

OUTPUTS_SUFFIX = ".outputs.parquet"
MARKS, DISPUTES = "marks", "disputes"  # folders next to the tracks (see `records.marks`)
SHA256_DIGITS = 64
INPUTS_DIGITS = 16  # hex digits of the digest in the name of an inputs file
INPUTS_HELD = 8  # in memory, those read last
KILLED = 3600  # seconds after which the temporary file of a cell's other writer counts as left over


def write_atomically(path: Path, content: bytes) -> None:
    """Writes to a temporary file in the same folder, fsyncs and renames it, so readers never see
    partial content.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(
        f".{path.name}-{uuid4().hex}"
    )  # process ids are not unique across hosts
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

    def path(self, identity: Identity) -> Path:
        """The path of the record; a task without named variants uses the folder `all`."""
        return self.folder(identity) / identity.method.name / f"{identity.id}.json"

    def path_of(self, record: Record) -> Path:
        """The path for the id stated in the record, even if its identity hashes to another."""
        return self.folder(record.identity) / record.method.name / f"{record.id}.json"

    def folder(self, identity: Identity) -> Path:
        """The folder of a variant, with a folder for each method and the inputs files."""
        return self.root / identity.track / identity.task.name / (identity.task.variant or "all")

    def reference_path(self, identity: Identity, role: str, record_id: str) -> Path:
        """The path of the record of a target or oracle that a cell is compared with."""
        return self.folder(identity) / role / f"{record_id}.json"

    def reference_paths(self, record: Record) -> list[Path]:
        """The paths of the target's and oracles' records that a record is compared with."""
        named = record.references
        assert named is not None
        roles = [(TARGET, named.target), *((ORACLE, i) for i in named.oracles)]
        return [self.reference_path(record.identity, *of_role) for of_role in roles]

    def write(self, record: Record, samples: Sequence[Sample] | None) -> Path:
        """Seals and writes a record, with its outputs if it has any."""
        if samples is None:
            return self.write_files(record, None)
        inputs = Inputs.of(samples)
        return self.write_files(record, (outputs_to_bytes(samples, inputs), inputs.to_bytes()))

    def write_files(self, record: Record, files: tuple[bytes, bytes] | None) -> Path:
        """Seals and writes a record, with the given bytes of its outputs and inputs files.

        A record never exists without its files, which are written first; files that no record
        names any more are removed.
        """
        path = self.path_of(record)
        former = _inputs_named(path)
        outputs = path.with_suffix(OUTPUTS_SUFFIX)
        if files:
            output_content, input_content = files
            info = OutputsInfo(
                sha256=sha256(output_content), inputs=sha256(input_content)[:INPUTS_DIGITS]
            )
            record = record.model_copy(update={"outputs": info})
            write_atomically(inputs_path(path, record), input_content)
            write_atomically(outputs, output_content)
        write_atomically(path, record.sealed().to_json())
        if files and not inputs_path(path, record).exists():  # another process removed it
            write_atomically(inputs_path(path, record), input_content)
        if not files:  # no outputs of an earlier run may stay
            outputs.unlink(missing_ok=True)
        for left in path.parent.glob(f".{path.stem}.*"):
            with suppress(FileNotFoundError):
                if time.time() - left.stat().st_mtime > KILLED:
                    left.unlink()
        if former and former != _inputs_named(path):
            _remove_unnamed(former)
        return path

    def paths(self) -> list[Path]:
        """All record files, sorted by path."""
        return sorted(self.root.glob("*/*/*/*/*.json"))

    def read_all(self) -> Iterator[Record]:
        for path in self.paths():
            yield read_record(path)

    def samples_of(self, record: Record, sorts: Collection[str] | None = None) -> list[Sample]:
        """The record's samples, with `sorts` only those of stages of these sorts; BadInput if a
        file is missing or its hash differs.
        """
        return read_samples(self.path_of(record), record, sorts)


def inputs_path(path: Path, record: Record) -> Path:
    """The inputs file of the record at `path`."""
    assert record.outputs is not None
    return _inputs_file(path, record.outputs.inputs)


def copy_record(path: Path, results: ResultStore, out: ResultStore) -> None:
    """Copies the record at `path`, after its outputs and inputs files if it has any."""
    files = [path]
    if (record := read_record(path)).outputs:
        files = [inputs_path(path, record), path.with_suffix(OUTPUTS_SUFFIX), path]
    for file in files:
        write_atomically(out.root / file.relative_to(results.root), file.read_bytes())


class _Naming(BaseModel):
    outputs: OutputsInfo | None = None


def _inputs_named(path: Path) -> Path | None:
    """The inputs file that the record at `path` names; None if there is no such record."""
    try:
        outputs = _Naming.model_validate_json(path.read_bytes()).outputs
    except (FileNotFoundError, ValidationError):
        return None
    return _inputs_file(path, outputs.inputs) if outputs else None


def _inputs_file(path: Path, digest: str) -> Path:
    return path.parent.parent / f"inputs-{digest}.parquet"


def _remove_unnamed(inputs: Path) -> None:
    """Removes an inputs file that no record of the variant names any more, and restores it if
    another process has named it in the meantime.
    """
    if _is_named(inputs) or not inputs.exists():
        return
    content = inputs.read_bytes()
    inputs.unlink(missing_ok=True)
    if _is_named(inputs):
        write_atomically(inputs, content)


def _is_named(inputs: Path) -> bool:
    """Whether a record of the variant names this inputs file."""
    return any(_inputs_named(path) == inputs for path in inputs.parent.glob("*/*.json"))


class _Versioned(BaseModel):
    schema_version: int


def read_record(path: Path) -> Record:
    """Reads a record and checks its schema; BadInput names the file, the field and the problem."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise BadInput(f"{path}: no such record") from None
    try:
        version = _Versioned.model_validate_json(content).schema_version
        if version != SCHEMA_VERSION:  # first, since the fields depend on it
            raise BadInput(
                f"{path}: schema_version: found {version}, this version reads {SCHEMA_VERSION}"
            )
        return Record.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(p) for p in first["loc"]) or "file"
        raise BadInput(f"{path}: {where}: {first['msg']}") from None


def outputs_content(path: Path, record: Record) -> tuple[bytes, bytes]:
    """(outputs, inputs): the content of the files of the record at `path`; BadInput if one is
    missing or its hash differs.
    """
    if record.outputs is None:
        raise BadInput(f"{path}: outputs: a record with status {record.status} has none")
    outputs = _content(path.with_suffix(OUTPUTS_SUFFIX), path, record.outputs.sha256, SHA256_DIGITS)
    inputs = _content(inputs_path(path, record), path, record.outputs.inputs, INPUTS_DIGITS)
    return outputs, inputs


def _content(file: Path, path: Path, digest: str, digits: int) -> bytes:
    if not file.is_file():
        raise BadInput(f"{file}: missing; the record {path.name} needs it")
    content = file.read_bytes()
    actual = sha256(content)
    if actual[:digits] != digest:
        raise BadInput(f"{file}: sha256 is {actual[:12]}…, the record says {digest[:12]}…")
    return content


def read_samples(path: Path, record: Record, sorts: Collection[str] | None = None) -> list[Sample]:
    """The samples of the record at `path`, with `sorts` only those of stages of these sorts;
    BadInput if a file is missing, its hash differs, or its content is not samples.
    """
    return parsed(*outputs_content(path, record), path, sorts)


def parsed(
    outputs: bytes, inputs: bytes, path: Path, sorts: Collection[str] | None = None
) -> list[Sample]:
    """Samples parsed from the files' content; BadInput if it is invalid. `path` is the record's."""
    try:
        return samples_of(outputs, _inputs_in(inputs), sorts)
    except (ArrowException, ValueError, TypeError, KeyError, IndexError) as error:
        reason = str(error).splitlines()[0]
        raise BadInput(
            f"{path.with_suffix(OUTPUTS_SUFFIX)}: no samples can be read: {reason}"
        ) from None


@lru_cache(INPUTS_HELD)
def _inputs_in(content: bytes) -> Inputs:
    """The parsed inputs file, cached because the records of a variant share it."""
    return Inputs.from_bytes(content)
