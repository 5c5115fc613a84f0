"""Generates the result tables in README.md, in RESULTS, CLAIMS, PRACTICE and SCALING of docs/, and
in the task cards from the records (`make docs`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from benchmark.records.derived import Derived
from benchmark.records.identity import ORACLE, TARGET, shown_variant
from benchmark.records.schema import GUARDRAIL, WEIGHTS
from benchmark.records.store import ResultStore, read_record
from benchmark.statistics import AXES, SCORE_VERSION, findings
from benchmark.statistics.claims import claim_rows
from benchmark.statistics.divisions import divided
from leaderboard.board import Board, Track, load_board
from leaderboard.cards import TASKS
from leaderboard.claim_tables import claims_markdown, claims_summary, task_claims
from leaderboard.practice_tables import picks_markdown, practice_markdown, undone_markdown
from leaderboard.scaling_tables import scaling_markdown

ROOT = Path(__file__).resolve().parents[1]
# The names of the generated parts of documents.
FIGURES, PICKS, UNDONE, CLAIMS = "figures", "picks", "undone", "claims"
RESIDUALS = {
    "paraphrased_probability": "Probability of the forget set's answers under held-out paraphrases",
    "memorization_accuracy": "Share of forget-set tokens predicted by greedy decoding",
}
MISSING = "–"
SUITES = {"controlled-1m": "cpu", "smollm2-135m": "smollm2 --data-dir DIR"}  # others: `hub`
# How a track's published records are out of date, until they are replaced.
EARLIER = {
    "smollm2-135m": "This ranking is of `real_entities` version 1, whose probabilities say little "
    "([card](../tasks/real_entities/card.md)), and of earlier versions of the attacks. `{}` "
    "runs the current ones."
}
SATURATED = ["klom", "klom_p95"]  # with few models, they only show whether margins overlap
# The methods that a task's papers make claims about, compared on its card.
COMPARED = {
    "frequency": ("grad_ascent", "grad_diff", "npo", "idk"),
    "distribution": ("grad_ascent", "grad_diff"),
    "memorized": ("grad_ascent", "sga", "tau", "task_arithmetic"),
    "continual": ("grad_ascent", "grad_diff", "npo", "idk", "me_gd", "idk_ap"),
    "real_entities": ("grad_diff", "npo", "idk"),
    "tofu_small": ("retrain", "grad_ascent", "grad_diff", "npo", "idk", "me_gd", "idk_ap"),
}


README_TRACK = "controlled-1m"  # its ranking is in the README
README_ROWS = 12  # methods in the ranking


def readme_figures(board: Board) -> str:
    """The best methods of README_TRACK between the anchors `retrain` and `none`, as Markdown."""
    track = next(track for track in board.tracks if track.name == README_TRACK)
    rows = [row for row in track.standings.overall.to_dict("records") if row["division"] == WEIGHTS]
    methods = [row for row in rows if row["rank"] == row["rank"]]
    ends = {row["method"]: row for row in rows if row["anchor"]}
    best = methods[:README_ROWS]
    shown = [ends["retrain"], *best, ends["none"]]
    count = f"The best {len(best)} of {len(methods)} methods that change weights:"
    return "\n".join(["", count, "", *_ranked_table(shown), ""])


def result_figures(board: Board) -> str:
    """The ranking of each track, and the residual knowledge of each variant, as Markdown."""
    parts = [f"Made from {made_from(board.results)}.\n"]
    for track in board.ranked:
        command = f"palimpsest run --suite {SUITES.get(track.name, 'hub')} --out results"
        parts += [
            f"## `{track.name}`\n",
            EARLIER.get(track.name, "`{}` prints this ranking.").format(command) + "\n",
            *_ranking(track),
            "",
            *_proxies(track),
        ]
        for metric, title in RESIDUALS.items():
            source = f"(`palimpsest export --out table.csv`, metric `{metric}`, means over seeds)"
            rows = list(_residuals(track, metric))
            heading = f"{title}, before and after unlearning {source}:\n"
            parts += [heading, *rows, ""] if rows else []
    return "\n".join(parts)


def made_from(store: ResultStore) -> str:
    """The number of records, a digest of all of them (16 hex digits) and the score version; tables
    generated from anything else are out of date.
    """
    seals = sorted(read_record(path).seal for path in store.paths())
    digest = hashlib.sha256("".join(seals).encode()).hexdigest()[:16]
    return f"{len(seals)} records (digest `{digest}`), score version {SCORE_VERSION}"


def _spread(value: float, low: float, high: float) -> str:
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


def _ranking(track: Track) -> Iterator[str]:
    """A table for each division that has a method."""
    rows = track.standings.overall.to_dict("records")
    for division, own in divided(rows, lambda row: row["anchor"], lambda row: row["division"]):
        if division == GUARDRAIL:
            yield "\nGuardrails, which leave the weights unchanged, are ranked separately:\n"
        yield from _ranked_table(own)


def _ranked_table(rows: Sequence[dict]) -> Iterator[str]:
    yield f"| rank | method | score | {' | '.join(AXES)} | runs |\n|{'---|' * (len(AXES) + 4)}"
    for row in rows:
        rank = _rank(row)
        score = _spread(row["score"], row["score_low"], row["score_high"])
        axes = " | ".join(f"{row[axis]:.3f}" for axis in AXES)
        yield f"| {rank} | `{row['method']}` | {score} | {axes} | {row['runs']} |"


def _rank(row: dict) -> str:
    if row["anchor"]:
        return "anchor" if row["complete"] else "anchor, not on all tasks"
    return f"{row['rank']:.0f}" if row["rank"] == row["rank"] else "partial"


def _proxies(track: Track) -> Iterator[str]:
    if track.proxies:
        names = ", ".join(f"`{name}`" for name in track.proxies)
        yield f"Scored against a proxy reference: {names}.\n"


def _residuals(track: Track, metric: str) -> Iterator[str]:
    """Yields the lines of a table with a row per model and a column per variant on which the metric
    is informative; nothing if there is no such variant.
    """
    strata = track.standings.strata
    rows = (
        strata[(strata["metric"] == metric) & (strata["stratum"] == "all")]
        if len(strata)
        else strata
    )
    left_out = track.standings.uninformative
    silent = set(
        left_out.loc[left_out["metric"] == metric, ["task", "variant"]].itertuples(
            index=False, name=None
        )
    )
    rows = (
        rows[[(row.task, row.variant) not in silent for row in rows.itertuples()]]
        if len(rows)
        else rows
    )
    if rows.empty:
        return
    # In increasing order of the target's knowledge.
    known = rows[rows["method"] == TARGET].sort_values("value")
    places = list(zip(known["task"], known["variant"], strict=True))
    yield f"| | {' | '.join(f'`{shown_variant(*place)}`' for place in places)} |"
    yield f"|{'---|' * (len(places) + 1)}"
    spread = {
        (row["method"], row["task"], row["variant"]): _spread(row["value"], row["low"], row["high"])
        for row in rows.to_dict("records")
    }
    overall = track.standings.overall
    measured = set(rows["method"])
    for method in (TARGET, ORACLE, *overall.loc[~overall["anchor"].astype(bool), "method"]):
        if method in measured:
            cells = (spread.get((method, *place), MISSING) for place in places)
            yield f"| `{method}` | {' | '.join(cells)} |"


def card_figures(board: Board, claims: pd.DataFrame, task: str) -> str:
    """Markdown tables of the papers' claims tested on the task and, for each track, of the findings
    on the compared methods.
    """
    parts = [told] if (told := task_claims(claims, task)) else []
    for track in board.ranked:
        tables = findings(track.standings, task, COMPARED[task])
        parts += (
            [f"On `{track.name}` (`palimpsest report {task}` prints this and the other methods):\n"]
            if tables
            else []
        )
        for title, table in tables.items():
            shown = table.drop(columns=SATURATED, errors="ignore")
            parts += [f"*{title}*\n", *_markdown(shown), ""]
    return "\n".join(parts)


def _markdown(table: pd.DataFrame) -> Iterator[str]:
    """Yields the lines of a Markdown table; constant columns other than `method` are dropped if
    there are several rows.
    """
    columns = table[
        [name for name in table if name == "method" or table[name].nunique() > 1 or len(table) == 1]
    ]
    yield _line([name if name != "method" else "" for name in columns])
    yield f"|{'---|' * columns.shape[1]}"
    for row in columns.itertuples(index=False):
        yield _line(row)


def _line(cells: Sequence[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def with_figures(text: str, figures: str, name: str = FIGURES) -> str:
    """The text of a document with everything between the markers of this name replaced."""
    start, end = f"<!-- {name}: written by `make docs` -->\n", f"<!-- end of {name} -->"
    before, _, rest = text.partition(start)
    _, _, after = rest.partition(end)
    return f"{before}{start}{figures}{end}{after}"


def documents(board: Board) -> dict[Path, str]:
    """The texts of README, docs and cards by path, with tables regenerated from the records."""
    claims = claim_rows([track.standings for track in board.tracks])
    figures = {
        ROOT / "README.md": readme_figures(board),
        ROOT / "docs/RESULTS.md": result_figures(board),
        ROOT / "docs/CLAIMS.md": claims_markdown(claims),
        ROOT / "docs/PRACTICE.md": practice_markdown(board),
        ROOT / "docs/SCALING.md": scaling_markdown(board),
    }
    figures |= {TASKS / task / "card.md": card_figures(board, claims, task) for task in COMPARED}
    texts = {
        path: with_figures(path.read_text(encoding="utf-8"), text) for path, text in figures.items()
    }
    readme = ROOT / "README.md"
    picks = picks_markdown(board, README_TRACK)
    undone = undone_markdown(board, README_TRACK)
    for name, text in {PICKS: picks, UNDONE: undone, CLAIMS: claims_summary(claims)}.items():
        texts[readme] = with_figures(texts[readme], text, name)
    return texts


def main() -> None:
    """Rewrites all documents in place."""
    for path, text in documents(
        load_board(ROOT / "results", Derived.below(ROOT / ".palimpsest"))
    ).items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
