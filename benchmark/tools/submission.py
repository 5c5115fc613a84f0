"""Summarises what a pull request adds to the leaderboard, for the workflow that checks submissions:
`python -m benchmark.tools.submission sample|comment BASE`.

`sample` prints the ids of a few added records to replay, drawn anew each time so that they cannot
be predicted. `comment` prints Markdown: each added row beside its neighbours, and any other changed
files.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmark.core.inputs import Inputs
from benchmark.errors import BadInput
from benchmark.records.derived import Derived
from benchmark.records.frames import has_outputs
from benchmark.records.marks import Dispute, Mark, read_mark
from benchmark.records.schema import Record
from benchmark.records.store import DISPUTES, MARKS, ResultStore, read_record
from benchmark.reports.neighbours import compared_rows
from benchmark.tools.immutable_records import RESULTS, diffed

SAMPLED = 3
# What a submission adds; any other change is a change to the benchmark.
OWN = (f"{RESULTS}/", "methods/", "submissions/")


def added_records(base: str, folder: Path) -> list[Record]:
    """Scored records of methods that HEAD adds to `base`."""
    results = ResultStore(folder / RESULTS)
    added = {folder / name for name in diffed(base, folder, "A", RESULTS)}
    records = [read_record(path) for path in results.paths() if path in added]
    return [r for r in records if not r.identity.is_reference and not r.is_trial]


def added_marks(base: str, folder: Path) -> Iterator[str]:
    """Yields a line for each mark and dispute that HEAD adds to `base`."""
    for name in diffed(base, folder, "A", f"{RESULTS}/{MARKS}"):
        mark = read_mark(folder / name, Mark)
        yield f"- {mark.mark} by `{mark.by}`: {len(mark.records)} records"
    for name in diffed(base, folder, "A", f"{RESULTS}/{DISPUTES}"):
        dispute = read_mark(folder / name, Dispute)
        said = f"{len(dispute.records)} records score {dispute.score:.3f} under `{dispute.attack}`"
        yield f"- disputed by `{dispute.by}`: {said}, {dispute.link}"


def sample(records: Sequence[Record]) -> list[str]:
    """Ids of a few records, drawn from those with outputs, which can be replayed."""
    ids = [record.id for record in records if has_outputs(record)]
    return random.SystemRandom().sample(ids, min(SAMPLED, len(ids)))


def comment(base: str, folder: Path, derived: Derived) -> str:
    """Markdown of the added rows beside their neighbours, and of changed files that no submission
    needs to change.
    """
    records = added_records(base, folder)
    said = list(added_marks(base, folder))
    others = [name for name in diffed(base, folder, "ACDMRT") if not name.startswith(OWN)]
    parts = ["## Submission\n"]
    if records:
        parts.append(compared_rows(folder / RESULTS, [r.id for r in records], derived))
    else:
        parts.append("It adds no scored record of a method.")
    if said:
        parts.append("\nIt adds marks or disputes, which anyone can write; verify their authors:\n")
        parts += said
    if others:
        names = "\n".join(f"- `{name}`" for name in others)
        parts.append(f"\nIt also changes the benchmark itself; review these separately:\n{names}")
    return "\n".join(parts) + "\n"


def main() -> int:
    """Returns 0 after printing the ids or the comment, 2 on bad input."""
    if len(sys.argv) != 3 or sys.argv[1] not in ("sample", "comment"):
        print("usage: python -m benchmark.tools.submission sample|comment BASE", file=sys.stderr)
        return 2
    action, base = sys.argv[1:]
    try:
        if action == "sample":
            print(" ".join(sample(added_records(base, Path()))))
        else:
            print(comment(base, Path(), Derived.below(Inputs.of(os.environ).home)), end="")
    except subprocess.CalledProcessError as error:
        print(f"palimpsest: {error.stderr.strip().splitlines()[0]}", file=sys.stderr)
        return 2
    except BadInput as error:
        print(f"palimpsest: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
