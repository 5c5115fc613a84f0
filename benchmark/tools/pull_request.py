"""What a pull request does to the published records: `python -m benchmark.tools.pull_request`.

    changed BASE      refuses changes of records that are there at the revision BASE
    cells BASE COUNT  ids of that many added records, the cheapest of each row first
    rows BASE         names of the rows to which records were added

A pull request may add files below results/; one that is there already stays as it is. `changed`
needs no package.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.errors import BadInput

if TYPE_CHECKING:
    from benchmark.records.schema import Record

RESULTS = "results"
CHANGED, ADDED = "MDT", "A"  # modified, deleted or of another type; added


def files(base: str, kinds: str, folder: Path) -> list[str]:
    """Files below results/ that HEAD changed in these ways since it parted from `base`; BadInput if
    there is no such revision.
    """
    words = ["git", "diff", "--name-status", "--no-renames", f"--diff-filter={kinds}"]
    done = subprocess.run(
        [*words, f"{base}...HEAD", "--", RESULTS], cwd=folder, capture_output=True, text=True
    )
    if done.returncode:
        raise BadInput(done.stderr.strip().splitlines()[0])
    return [line.split("\t")[1] for line in done.stdout.splitlines()]


def added(base: str, folder: Path) -> dict[str, list[Record]]:
    """The successful records of methods that were added, by the name of their row."""
    from benchmark.records.frames import heads, row_names, split_current
    from benchmark.records.store import ResultStore

    store, names = ResultStore(folder / RESULTS), set(files(base, ADDED, folder))
    current, _ = split_current(list(heads(store)))
    named = row_names(current)
    rows: dict[str, list[Record]] = {}
    for record in current:
        is_result = record.status == "ok" and not record.identity.is_reference
        if is_result and str(store.path_of(record).relative_to(folder)) in names:
            rows.setdefault(named[record.id], []).append(record)
    return rows


def cells(base: str, count: int, folder: Path) -> list[str]:
    """Ids of at most `count` added records: the cheapest of each row, then the second, ..."""
    in_turn = [
        (turn, name, record.id)
        for name, records in added(base, folder).items()
        for turn, record in enumerate(sorted(records, key=_seconds))
    ]
    return [record_id for _, _, record_id in sorted(in_turn)[:count]]


def _seconds(record: Record) -> float:
    return sum(record.provenance.cost.seconds.values())


def main(words: Sequence[str], folder: Path) -> int:
    """0, or 1 if something published was changed, 2 on bad input."""
    try:
        if len(words) == 2 and words[0] == "changed":
            return _refuse(files(words[1], CHANGED, folder))
        if len(words) == 3 and words[0] == "cells" and words[2].isdigit():
            print(" ".join(cells(words[1], int(words[2]), folder)))
        elif len(words) == 2 and words[0] == "rows":
            print(shlex.join(sorted(added(words[1], folder))))
        else:
            raise BadInput("usage: python -m benchmark.tools.pull_request changed|cells|rows BASE")
    except BadInput as error:
        print(f"palimpsest: {error}", file=sys.stderr)
        return 2
    return 0


def _refuse(changed: Sequence[str]) -> int:
    for name in changed:
        print(f"{name}: published records are immutable; add a new one instead", file=sys.stderr)
    return int(bool(changed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Path()))
