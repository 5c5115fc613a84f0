"""The text of the pull request that submits a row, as Markdown."""

from __future__ import annotations

import inspect
from pathlib import Path

from benchmark.authoring.card import Card
from benchmark.authoring.submission import Submission
from benchmark.core.method import Method
from benchmark.records.derived import Derived
from benchmark.reports.neighbours import compared_rows

REPLAYED = 3  # number of records suggested for replay


def pull_request(
    submission: Submission, card: Card, cls: type[Method], folder: Path, derived: Derived
) -> str:
    """The text: what the row is, how it compares, and how to check it."""
    ids = [record.id for record in submission.records]
    said = (inspect.getdoc(cls) or "").strip()
    tables = compared_rows(folder, ids, derived)
    return f"""# `{submission.method}` on {", ".join(submission.tracks)}

{said}

- authors: {card.names}
- paper: {card.paper}
- code: {card.code}
- compute: {card.compute}
- division: {card.division}
- data beyond the request: {card.data}
- data that it uses: {", ".join(sorted(cls.sees)) or "nothing"}

## Scores

{tables}

## What it adds

- `methods/{submission.method}.py`, reviewed before publication
- `submissions/{submission.method}/card.yaml`
- `results/`: {len(ids)} records with their outputs, and {_trials(submission)}; references that are
  published already are identical files

## Check

```sh
palimpsest validate results
palimpsest replay {" ".join(ids[:: max(1, len(ids) // REPLAYED)][:REPLAYED])} --results results
```
"""


def _trials(submission: Submission) -> str:
    return f"{len(submission.trials) or 'no'} trials of its tuning"
