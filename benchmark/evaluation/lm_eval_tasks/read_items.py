"""Loads a task's items for lm-eval from the JSONL file beside its YAML, in any working
directory.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import datasets


def dataset(config_source: str, **_: Any) -> dict[str, datasets.Dataset]:
    """The task's only split; `config_source` is the path of its YAML, which lm-eval passes with the
    task's metadata.
    """
    lines = Path(config_source).with_suffix(".jsonl").read_text(encoding="utf-8").splitlines()
    return {"test": datasets.Dataset.from_list([json.loads(line) for line in lines])}
