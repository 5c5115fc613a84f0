"""Rejects changes to published records: `python -m benchmark.tools.immutable_records BASE`.

A pull request may add files below results/; those that exist at the revision BASE must not change.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

RESULTS = "results"


def changed_files(base: str, folder: Path) -> list[str]:
    """Files below results/ that exist at `base` and that HEAD has changed, moved or removed since
    the two diverged.
    """
    return diffed(base, folder, "MDT", RESULTS)


def diffed(base: str, folder: Path, kinds: str, *below: str) -> list[str]:
    """The files, all or those below given paths, with changes of these kinds (letters of git's
    `--diff-filter`) since `base` and HEAD diverged; CalledProcessError if there is no revision
    `base`.
    """
    words = ["git", "diff", "--name-only", "-z", "--no-renames", f"--diff-filter={kinds}"]
    done = subprocess.run(
        [*words, f"{base}...HEAD", "--", *below],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return [name for name in done.stdout.split("\0") if name]


def main() -> int:
    """Returns 0 if no published file changed, 1 after printing the names of changed ones, 2 on bad
    input.
    """
    if len(sys.argv) != 2:
        print("usage: python -m benchmark.tools.immutable_records BASE", file=sys.stderr)
        return 2
    try:
        changed = changed_files(sys.argv[1], Path())
    except subprocess.CalledProcessError as error:
        print(f"palimpsest: {error.stderr.strip().splitlines()[0]}", file=sys.stderr)
        return 2
    for name in changed:
        print(f"{name}: published records are immutable; add a new one instead", file=sys.stderr)
    return int(bool(changed))


if __name__ == "__main__":
    sys.exit(main())
