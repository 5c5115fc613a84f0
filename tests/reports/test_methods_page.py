"""The methods page: what is tuned, and what a run costs."""

from pathlib import Path

import pytest

from benchmark.core.registry import methods
from benchmark.models.tracks import track_named
from benchmark.records.store import ResultStore
from benchmark.reports.methods_page import methods_page

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def rows():
    lines = methods_page(ResultStore(ROOT / "results")).splitlines()
    cells = [line.strip("| ").split(" | ") for line in lines if line.startswith("| [`")]
    return {cell[0].split("`")[1]: cell[1:] for cell in cells}


def test_every_method_has_a_row(rows):
    assert rows.keys() == methods().keys()


def test_only_methods_with_trials_are_called_tuned(rows):
    chosen = track_named("controlled-1m").chosen
    rates = ", ".join(f"{family} {rate:g}" for family, rate in chosen["npo"].items())
    assert rows["npo"][2] == rates
    rated = {name: row[2] for name, row in rows.items() if row[2] != "-"}
    untuned = {name for name, shown in rated.items() if shown.endswith("(untuned)")}
    assert untuned == rated.keys() - chosen.keys()
    assert rows["none"][2] == "-"


def test_cost_is_that_of_published_runs(rows):
    """Gradient ascent on the forget set alone reads about half as many tokens as `grad_diff`, which
    reads forget and retain sets.
    """
    tokens = {name: int(rows[name][4].replace(",", "")) for name in ("grad_ascent", "grad_diff")}
    assert rows["grad_diff"][3] == "60"
    assert 0.4 < tokens["grad_ascent"] / tokens["grad_diff"] < 0.6


def test_a_method_without_a_published_run_has_no_cost(tmp_path):
    lines = methods_page(ResultStore(tmp_path)).splitlines()
    assert next(line for line in lines if "[`npo`]" in line).endswith("| - | - | - |")
