"""Where lm-eval finds the items of a task: in the JSONL beside its YAML, whatever the working
directory is.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import datasets


def dataset(config_source: str, **_: Any) -> dict[str, datasets.Dataset]:
    """The only split of the task whose YAML is `config_source`, which lm-eval passes with the
    task's metadata.
    """
    lines = Path(config_source).with_suffix(".jsonl").read_text(encoding="utf-8").splitlines()
    return {"test": datasets.Dataset.from_list([json.loads(line) for line in lines])}
