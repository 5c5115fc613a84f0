"""On-disk cache of data computed from outputs, keyed by digest: safe to delete and never stale.

The file name is a digest of the source content and of the code that processes it, so a changed
metric, formula or output gives a new name. Each file begins with the digest of the rest of the
file: a truncated or modified file is recomputed. If the folder is not writable, nothing is cached.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pyarrow as pa

from benchmark.core.hashing import fingerprint
from benchmark.metrics.base import METRICS
from benchmark.records.code_digest import of_rooms
from benchmark.records.outputs import sha256
from benchmark.records.store import write_atomically

FOLDER = "derived"  # in the home folder
ROOMS = ("core", "metrics", "records")  # packages whose code computes frames and derived data
DIGEST = 64  # length of a SHA-256 hex digest

Tables = dict[str, pa.Table]  # Arrow tables, which concatenate faster than DataFrames


class Derived:
    """A cache folder of derived content; without a folder, everything is computed on demand."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder

    @classmethod
    def below(cls, home: Path) -> Derived:
        return cls(home / FOLDER)

    def content(self, kind: str, sources: object, make: Callable[[], bytes]) -> bytes:
        """The result of `make`, cached under a digest of `sources`: everything that the result
        depends on, as JSON, except the code of ROOMS and the metric versions.
        """
        if self.folder is None:
            return make()
        path = self._path(kind, sources)
        content = _checked(path)
        if content is None:
            content = make()
            with suppress(OSError):  # the home folder may not be writable
                write_atomically(path, sha256(content).encode() + content)
        return content

    def tables(
        self, kind: str, sources: object, make: Callable[[], Mapping[str, pd.DataFrame]]
    ) -> Tables:
        """Named frames, cached in the same way and returned as Arrow tables."""
        return from_bytes(self.content(kind, sources, lambda: to_bytes(make())))

    def has(self, kind: str, sources: object) -> bool:
        return self.folder is not None and self._path(kind, sources).is_file()

    def _path(self, kind: str, sources: object) -> Path:
        assert self.folder is not None
        key = fingerprint([of_rooms(*ROOMS), metric_versions(), sources])
        return self.folder / kind / key[:2] / key


def _checked(path: Path) -> bytes | None:
    """The content of a file; None if the file is missing or its digest does not match."""
    try:
        written = path.read_bytes()
    except OSError:
        return None
    digest, content = written[:DIGEST], written[DIGEST:]
    return content if digest == sha256(content).encode() else None


def metric_versions() -> Mapping[str, int]:
    """Versions of all registered metrics, including those registered by other packages."""
    return {name: metric.version for name, metric in sorted(METRICS.items())}


def to_bytes(frames: Mapping[str, pd.DataFrame]) -> bytes:
    """The frames as concatenated Arrow streams, each with its name in the schema metadata."""
    sink = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    for name, frame in frames.items():
        table = pa.Table.from_pandas(frame, preserve_index=False)
        table = table.replace_schema_metadata({**(table.schema.metadata or {}), "name": name})
        with pa.ipc.new_stream(sink, table.schema, options=options) as stream:
            stream.write_table(table)
    return sink.getvalue()


def from_bytes(content: bytes) -> Tables:
    """The tables that `to_bytes` wrote; `to_pandas` restores the original frames."""
    reader, tables = pa.BufferReader(content), Tables()
    while reader.tell() < len(content):
        table = pa.ipc.open_stream(reader).read_all()
        tables[table.schema.metadata[b"name"].decode()] = table
    return tables
