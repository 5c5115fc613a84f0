"""Tables of `report --attacks`: how far the attacks agree on what was forgotten."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmark.errors import BadInput
from benchmark.records.derived import Derived
from benchmark.reports.terminal import published_standings
from benchmark.statistics.attack_agreement import agreement
from benchmark.statistics.findings import spoken


def print_attacks(folder: Path, console: Console, derived: Derived) -> None:
    """Prints, for each track, the correlations between attacks over all rows except anchors, from
    the current records below a folder; BadInput if no two attacks can be compared.
    """
    standings = published_standings(folder, derived)
    overall = standings.overall
    if overall.empty:
        raise BadInput(f"{folder}: no method can be scored")
    ranked = overall[~overall["anchor"].astype(bool)][["track", "method"]]
    tracks = standings.attacks.merge(ranked).groupby("track", sort=True)
    found = {str(track): agreement(rows) for track, rows in tracks}
    if not any(map(len, found.values())):
        raise BadInput(f"{folder}: target and oracles do not differ enough after any attack")
    for track, pairs in found.items():
        title = f"{track}: agreement of attacks"
        console.print(agreement_matrix(title, "attack", pairs))
        console.print(_pairs(pairs))
    console.print(
        "Kendall's tau-b between the forgetting that is left after two attacks, over rows x "
        "variants; 95 % bootstrap confidence intervals over rows. Anchors are left out."
    )


def agreement_matrix(title: str, of: str, found: pd.DataFrame) -> Table:
    """The taus between pairs of attacks or of metrics, with numbered columns so that many fit on a
    screen.
    """
    names = list(dict.fromkeys([*found["one"], *found["other"]]))
    known = dict(zip(zip(found["one"], found["other"], strict=True), found["tau"], strict=True))
    known |= {(other, one): tau for (one, other), tau in known.items()}
    numbers = map(str, range(1, len(names) + 1))
    table = Table("", of, *numbers, title=title, title_justify="left", box=SIMPLE_HEAD)
    for number, name in enumerate(names, 1):
        taus = [known.get((name, other), float("nan")) for other in names]
        table.add_row(str(number), name, *("–" if pd.isna(t) else f"{t:.2f}" for t in taus))
    return table


def _pairs(found: pd.DataFrame) -> Table:
    table = Table("attack", "other attack", "tau-b", "rows on variants", "rows", box=SIMPLE_HEAD)
    for row in found.to_dict("records"):
        tau = spoken(row["tau"], row["low"], row["high"], digits=2)
        counts = str(row["points"]), str(row["methods"])
        table.add_row(row["one"], row["other"], tau, *counts)
    return table
