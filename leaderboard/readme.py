"""Writes the figures of the README from the published records: `python -m leaderboard.readme` (or `make docs`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmark.records.schema import ORACLE, TARGET, shown_variant
from benchmark.statistics import AXES
from leaderboard.board import Track, load_board

ROOT = Path(__file__).resolve().parents[1]
START, END = "<!-- figures: written by `make docs` -->\n", "<!-- end of figures -->"
RESIDUAL = "paraphrased_probability"


def figures(results: Path) -> str:
    """The ranking of each track, and what its methods leave of each variant's knowledge, as Markdown."""
    parts = []
    for track in load_board(results).tracks:
        parts += [
            f"**`{track.name}`** (`palimpsest run --suite quick --out results` prints it)\n",
            *_ranking(track),
            "",
        ]
        parts += [
            "Probability of the forgotten answers under held-out wordings, before and after "
            "(`palimpsest export --out table.csv`, metric `paraphrased_probability`, means over seeds):\n",
            *_residuals(track),
            "",
        ]
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


def _residuals(track: Track) -> Iterator[str]:
    strata = track.standings.strata
    rows = strata[(strata["metric"] == RESIDUAL) & (strata["stratum"] == "all")]
    overall = track.standings.overall
    methods = [TARGET, ORACLE, *overall.loc[~overall["anchor"].astype(bool), "method"]]
    known = rows[rows["method"] == TARGET].sort_values(
        "value"
    )  # from what the target knows least to what it knows best
    places = list(zip(known["task"], known["variant"], strict=True))
    yield f"| | {' | '.join(f'`{shown_variant(*place)}`' for place in places)} |\n|{'---|' * (len(places) + 1)}"
    for method in methods:
        own = rows[rows["method"] == method].set_index(["task", "variant"])
        cells = (own.loc[place] for place in places)
        yield f"| `{method}` | {' | '.join(_spread(c['value'], c['low'], c['high']) for c in cells)} |"


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
