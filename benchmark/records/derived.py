"""What is computed from outputs and kept on disk by digest: safe to delete, and never stale.

A name is the digest of the content that something is derived from and of the code that derives it,
so that a changed metric, a changed formula or other outputs are another name. A file begins with
the digest of the rest of it: one that was cut off or changed is computed anew, and so is everything
where nothing can be written.
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

FOLDER = "derived"  # of the home
ROOMS = ("core", "metrics", "records")  # whose code makes frames, and what is made of them
DIGEST = 64  # characters of a SHA-256

Tables = dict[str, pa.Table]  # which are put together faster than frames


class Derived:
    """A folder of derived content; without a folder everything is computed when it is asked for."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder

    @classmethod
    def below(cls, home: Path) -> Derived:
        return cls(home / FOLDER)

    def content(self, kind: str, sources: object, make: Callable[[], bytes]) -> bytes:
        """What `make` returns, kept under a digest of `sources`: all that it depends on but the
        code of ROOMS, as JSON.
        """
        if self.folder is None:
            return make()
        path = self._path(kind, sources)
        content = _checked(path)
        if content is None:
            content = make()
            with suppress(OSError):  # of a home that cannot be written to
                write_atomically(path, sha256(content).encode() + content)
        return content

    def tables(
        self, kind: str, sources: object, make: Callable[[], Mapping[str, pd.DataFrame]]
    ) -> Tables:
        """The same for frames by name."""
        return from_bytes(self.content(kind, sources, lambda: to_bytes(make())))

    def has(self, kind: str, sources: object) -> bool:
        return self.folder is not None and self._path(kind, sources).is_file()

    def _path(self, kind: str, sources: object) -> Path:
        assert self.folder is not None
        key = fingerprint([of_rooms(*ROOMS), metric_versions(), sources])
        return self.folder / kind / key[:2] / key


def _checked(path: Path) -> bytes | None:
    """The content of a file; None where there is none or not what was written."""
    try:
        written = path.read_bytes()
    except OSError:
        return None
    digest, content = written[:DIGEST], written[DIGEST:]
    return content if digest == sha256(content).encode() else None


def metric_versions() -> Mapping[str, int]:
    """Those of the registry, which metrics from elsewhere may have joined."""
    return {name: metric.version for name, metric in sorted(METRICS.items())}


def to_bytes(frames: Mapping[str, pd.DataFrame]) -> bytes:
    """Arrow streams one after the other, each with its name."""
    sink = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    for name, frame in frames.items():
        table = pa.Table.from_pandas(frame, preserve_index=False)
        table = table.replace_schema_metadata({**(table.schema.metadata or {}), "name": name})
        with pa.ipc.new_stream(sink, table.schema, options=options) as stream:
            stream.write_table(table)
    return sink.getvalue()


def from_bytes(content: bytes) -> Tables:
    """The tables that `to_bytes` wrote; as frames they are what they were."""
    reader, tables = pa.BufferReader(content), Tables()
    while reader.tell() < len(content):
        table = pa.ipc.open_stream(reader).read_all()
        tables[table.schema.metadata[b"name"].decode()] = table
    return tables
