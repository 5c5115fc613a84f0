"""Renders the pages on which the reader picks what to compare: rows by their bootstrap replicates,
and the answers of models. Both load the data of the selection on demand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmark.records.identity import shown_variant
from leaderboard.board import Track
from leaderboard.render import Page, Renderer, compact_json, data_page, draws_file, examples_file
from leaderboard.tables import overall_rows


def choosing_pages(tracks: Sequence[Track], renderer: Renderer) -> Iterator[Page]:
    """Yields the page that compares rows, the replicates of each row, and the example explorer."""
    rows = {track.name: dict(_drawn(track)) for track in tracks}
    choices = {
        track.name: {
            "rows": {
                name: draws_file(track.name, name)
                for name in _by_rank(track)
                if name in rows[track.name]
            },
            "tasks": _tasks(track),
        }
        for track in tracks
    }
    yield renderer.page("compare.html", "compare.html", choices=choices)
    for track, by_row in rows.items():
        for name, by_variant in by_row.items():
            yield data_page(draws_file(track, name), compact_json(by_variant))
    explored = {
        track.name: {
            "files": {variant: examples_file(track.name, variant) for variant in track.variants},
            "rows": _by_rank(track),
            "proxied": sorted(track.proxies),
        }
        for track in tracks
    }
    yield renderer.page("explore.html", "explore.html", choices=explored)


def _by_rank(track: Track) -> list[str]:
    """The names of all rows, best score first and anchors last."""
    rows = overall_rows(track)
    return [row.name for row in sorted(rows, key=lambda row: row.anchor)]


def _drawn(track: Track) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yields each row's packed bootstrap replicates by variant and quantity."""
    for name, rows in track.standings.draws.groupby("method", sort=True):
        by_variant: dict[str, dict[str, str]] = {}
        columns = zip(*(rows[c] for c in ("task", "variant", "quantity", "packed")), strict=True)
        for task, variant, quantity, packed in columns:
            by_variant.setdefault(shown_variant(task, variant), {})[quantity] = packed
        yield str(name), by_variant


def _tasks(track: Track) -> dict[str, list[str]]:
    """The variants of each task."""
    return {t: sorted({r.variant for r in track.records_of(t)}) for t in track.tasks}
