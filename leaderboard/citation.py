"""Citations of a row, as a line of text and as BibTeX."""

from __future__ import annotations

import re
from pathlib import Path

from benchmark import __version__
from benchmark.errors import BadInput
from benchmark.records.derived import Derived
from benchmark.records.outputs import sha256
from benchmark.records.schema import GUARDRAIL
from benchmark.statistics import SCORE_VERSION
from leaderboard.board import Track, load_board
from leaderboard.render import number
from leaderboard.tables import Row, overall_rows

DIGITS = 16  # of a row's digest
SPECIAL = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}


def citation(track: Track, row: Row) -> str:
    """Track, versions, score with its interval, rank, runs, variants, digest and record ids."""
    proxied = [variant for variant in row.variants if variant in track.proxies]
    proxies = f" (proxy reference: {', '.join(proxied)})" if proxied else ""
    return (
        f"Palimpsest {__version__}, score version {SCORE_VERSION}, track {track.name}: {row.name}, "
        f"{_score(row)}, {_rank(track, row)}, {row.succeeded} of {row.expected} runs on "
        f"{', '.join(row.variants)}{proxies}. Digest {row_digest(row)}, records: "
        f"{', '.join(r.id for r in row.runs)}."
    )


def row_digest(row: Row) -> str:
    """16 hex digits over all records of a row, which change if any of the records changes."""
    return sha256("".join(sorted(run.seal for run in row.runs)).encode())[:DIGITS]


def latex_escaped(text: str) -> str:
    """The text with LaTeX's special characters escaped."""
    return "".join(SPECIAL.get(c, rf"\{c}" if c in "{}%&#$_" else c) for c in text)


def bibtex(track: Track, row: Row) -> str:
    """A BibTeX entry with the citation as its note; the year is that of the newest record."""
    created = max(record.provenance.created for record in row.runs)
    key = re.sub(r"[^A-Za-z0-9_-]+", "-", f"palimpsest-{row.name}-{track.name}-{created[:4]}")
    return (
        f"@misc{{{key},\n"
        "  author = {{The Palimpsest authors}},\n"
        "  title = {Palimpsest: benchmark suite and leaderboard for unlearning in large language "
        "models},\n"
        f"  year = {{{created[:4]}}},\n"
        f"  note = {{{latex_escaped(citation(track, row))}}}\n"
        "}"
    )


def citations(results: Path, name: str, track: str, derived: Derived) -> list[tuple[str, str]]:
    """(text, BibTeX) of a row on every track of a results folder, or on `track` alone if it is not
    empty; BadInput if there is no such row.
    """
    board = load_board(results, derived)
    rows = [
        (on, row)
        for on in board.tracks
        for row in overall_rows(on)
        if row.name == name and track in ("", on.name)
    ]
    if not rows:
        where = f" on the track {track}" if track else ""
        raise BadInput(f"{results}: no row {name!r}{where}")
    return [(citation(on, row), bibtex(on, row)) for on, row in rows]


def _score(row: Row) -> str:
    score = row.quantity("score")
    if not score.known:
        return "no score"
    own = f"score {number(score.value)} [{number(score.low)}, {number(score.high)}]"
    if dispute := row.lowered:
        own += f" (disputed: {number(dispute.score)} under {dispute.attack}, {dispute.link})"
    return own


def _rank(track: Track, row: Row) -> str:
    if row.rank and track.is_ranked:
        among = " among guardrails" if row.division == GUARDRAIL else ""
        return f"rank {row.rank}{' (tied)' if row.tied else ''}{among}"
    return "anchor" if row.anchor else "unranked"
