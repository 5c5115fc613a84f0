"""Builds the site: writes all pages into a new folder, and only then puts it in the former one's
place.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from plotly.offline import get_plotlyjs

from benchmark.errors import BadInput
from benchmark.records.derived import Derived
from benchmark.statistics.processes import shared_out
from leaderboard.board import Board, load_board
from leaderboard.pages import pages_of
from leaderboard.plots import colours_of
from leaderboard.record_pages import VariantRecords, variant_records
from leaderboard.render import Page
from leaderboard.tables import overall_rows

MARKER = ".palimpsest-site"
STATIC = Path(__file__).parent / "static"


def build_site(results: Path, out: Path, derived: Derived | None = None) -> Path:
    """Renders the records below `results` into the folder `out` and returns its index page.

    BadInput if there is nothing to show, if a record cannot be read, or if `out` holds anything but
    a former site; whatever goes wrong, a former site stays as it was.
    """
    place = Path(out).resolve()
    _refuse_what_is_not_ours(place)
    board = load_board(Path(results), derived)
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{place.name}-", dir=place.parent) as workplace:
        fresh = Path(workplace) / "fresh"
        write_site(board, fresh)
        _swap(place, fresh, Path(workplace) / "former")
    return Path(out) / "index.html"


def _refuse_what_is_not_ours(place: Path) -> None:
    if place.exists() and not place.is_dir():
        raise BadInput(f"{place}: is a file; the site needs a folder")
    if place.is_dir() and any(place.iterdir()) and not (place / MARKER).is_file():
        raise BadInput(
            f"{place}: is not empty and no former site (no {MARKER} in it); name another folder"
        )


def write_site(board: Board, folder: Path) -> None:
    """Writes pages, scripts and styles."""
    shutil.copytree(STATIC, folder / "static")
    (folder / "static" / "plotly.min.js").write_text(get_plotlyjs(), encoding="utf-8")
    (folder / MARKER).write_text(
        "Made by `palimpsest site`, which replaces this folder as a whole.\n"
    )
    colours = colours_of([row for track in board.tracks for row in overall_rows(track)])
    _write(pages_of(board, colours), folder)
    jobs = [(records, folder) for records in variant_records(board, colours)]
    shared_out(_write_records, jobs, sum(len(track.records) for track in board.tracks))


def _write_records(records: VariantRecords, folder: Path) -> None:
    _write(records.pages(), folder)


def _write(pages: Iterable[Page], folder: Path) -> None:
    for path, content in pages:
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")


def _swap(place: Path, fresh: Path, former: Path) -> None:
    """Puts `fresh` at `place`; what was there goes to `former`, and comes back if that fails."""
    if place.exists():
        place.rename(former)
    try:
        fresh.rename(place)
    except OSError:
        if former.exists():
            former.rename(place)
        raise
