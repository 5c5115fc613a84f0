"""Writes the figures of the README from the published records: `python -m leaderboard.readme` (or `make docs`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmark.records.schema import ORACLE, TARGET, shown_variant
from benchmark.statistics import AXES
from leaderboard.board import Track, load_board

ROOT = Path(__file__).resolve().parents[1]
START, END = "<!-- figures: written by `make docs` -->\n", "<!-- end of figures -->"
RESIDUALS = {
    "paraphrased_probability": "Probability of the forgotten answers under held-out wordings",
    "memorization_accuracy": "Share of the forgotten texts' tokens that greedy decoding gets right",
}
MISSING = "–"


def figures(results: Path) -> str:
    """The ranking of each track, and what its methods leave of each variant's knowledge, as Markdown."""
    parts = []
    for track in load_board(results).tracks:
        parts += [
            f"**`{track.name}`** (`palimpsest run --suite quick --out results` prints it)\n",
            *_ranking(track),
            "",
        ]
        for metric, title in RESIDUALS.items():
            told = f"(`palimpsest export --out table.csv`, metric `{metric}`, means over seeds)"
            rows = list(_residuals(track, metric))
            parts += [f"{title}, before and after {told}:\n", *rows, ""] if rows else []
    return "\n".join(parts)


def _spread(value: float, low: float, high: float) -> str:
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


def _ranking(track: Track) -> Iterator[str]:
    yield f"| rank | method | score | {' | '.join(AXES)} | runs |\n|{'---|' * (len(AXES) + 4)}"
    for row in track.standings.overall.to_dict("records"):
        rank = "anchor" if row["anchor"] else f"{row['rank']:.0f}" if row["rank"] == row["rank"] else "partial"
        score = _spread(row["score"], row["score_low"], row["score_high"])
        axes = " | ".join(f"{row[axis]:.3f}" for axis in AXES)
        yield f"| {rank} | `{row['method']}` | {score} | {axes} | {row['runs']} |"


def _residuals(track: Track, metric: str) -> Iterator[str]:
    """A row per model, a column per variant that has the metric; nothing if none has."""
    strata = track.standings.strata
    rows = strata[(strata["metric"] == metric) & (strata["stratum"] == "all")] if len(strata) else strata
    if rows.empty:
        return
    # From what the target knows least to what it knows best.
    known = rows[rows["method"] == TARGET].sort_values("value")
    places = list(zip(known["task"], known["variant"], strict=True))
    yield f"| | {' | '.join(f'`{shown_variant(*place)}`' for place in places)} |\n|{'---|' * (len(places) + 1)}"
    spread = {
        (row["method"], row["task"], row["variant"]): _spread(row["value"], row["low"], row["high"])
        for row in rows.to_dict("records")
    }
    overall = track.standings.overall
    measured = set(rows["method"])
    for method in (TARGET, ORACLE, *overall.loc[~overall["anchor"].astype(bool), "method"]):
        if method in measured:
            yield f"| `{method}` | {' | '.join(spread.get((method, *place), MISSING) for place in places)} |"


def with_figures(text: str, results: Path) -> str:
    """The README's text with its figures replaced."""
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}{figures(results)}{END}{after}"


def main() -> None:
    """Rewrites README.md."""
    path = ROOT / "README.md"
    path.write_text(with_figures(path.read_text(), ROOT / "results"))


if __name__ == "__main__":
    main()
