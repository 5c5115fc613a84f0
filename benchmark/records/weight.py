"""Size of a results folder by kind of file; every byte stays in every clone forever."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmark.records.schema import Record
from benchmark.records.store import OUTPUTS_SUFFIX, inputs_path


@dataclass(frozen=True)
class Weight:
    """The total bytes of a kind of file (`size`) and the number of its items (`count`)."""

    count: int
    size: int

    @property
    def mean_kilobytes(self) -> float:
        return self.size / max(1, self.count) / 1000


def weigh(records: Mapping[Path, Record]) -> dict[str, Weight]:
    """The weights of cells (record and outputs), trials and inputs files."""
    cells = {path: record for path, record in records.items() if not record.is_trial}
    trials = [path for path in records if path not in cells]
    inputs = {inputs_path(path, record) for path, record in cells.items() if record.outputs}
    outputs = [path.with_suffix(OUTPUTS_SUFFIX) for path, r in cells.items() if r.outputs]
    return {
        "cells": Weight(len(cells), _size([*cells, *outputs])),
        "trials": Weight(len(trials), _size(trials)),
        "inputs": Weight(len(inputs), _size(list(inputs))),
    }


def _size(paths: list[Path]) -> int:
    return sum(path.stat().st_size for path in paths if path.is_file())
