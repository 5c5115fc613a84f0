"""Marks that commands add to the records they have checked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.cli.terminal import console

if TYPE_CHECKING:
    from benchmark.records.marks import Kind
    from benchmark.records.schema import Record


def signed(results: Path, mark: Kind, by: str, records: Sequence[Record]) -> None:
    """Marks records and prints the path of the mark."""
    from benchmark.records.marks import sign
    from benchmark.records.store import ResultStore

    if not records:
        console.print(f"no record to mark as {mark}")
        return
    path = sign(ResultStore(results), mark, by, records)
    said = f"wrote {path}" if path else f"already marked by {by}"
    console.print(f"{len(records)} records {mark}: {said}", markup=False, soft_wrap=True)
