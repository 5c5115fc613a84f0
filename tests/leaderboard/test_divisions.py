"""Guardrails are ranked separately on the pages, in the documents and in the terminal."""

import io
import re
from types import SimpleNamespace

import pytest
from rich.console import Console
from toy_board import TRACK

from benchmark.records.derived import Derived
from benchmark.reports.terminal import print_standings
from leaderboard.board import load_board
from leaderboard.build import build_site
from leaderboard.citation import citations
from leaderboard.documents import result_figures
from leaderboard.tables import overall_rows


@pytest.fixture(scope="module")
def derived(tmp_path_factory):
    return Derived.below(tmp_path_factory.mktemp("home"))


@pytest.fixture
def guarded(folder):
    """The same folder, but with twin, which is as good as gentle, as a guardrail."""
    for record in list(folder.store.read_all()):
        if (record.method.name, record.track) == ("twin", TRACK):
            provenance = record.provenance.model_copy(update={"division": "guardrail"})
            samples = folder.store.samples_of(record)
            folder.store.write(record.model_copy(update={"provenance": provenance}), samples)
    return folder


def tables(page):
    """{label: [(method, division), ...]} for each ranked table of a page."""
    found = re.findall(
        r'aria-label="Ranking: ([^"]*)">(.*?)</table>', page.read_text(), flags=re.DOTALL
    )
    row = r'data-name="(\w+)" data-division="(\w+)"'
    return {label: re.findall(row, body) for label, body in found}


def test_the_site_tells_the_divisions_of_rows(guarded, derived):
    site = build_site(guarded.store.root, guarded.store.root.parent / "site", derived).parent
    [(label, rows)] = tables(site / "index.html").items()
    assert label == "toy, all tasks"
    assert {("twin", "guardrail"), ("gentle", "weights")} <= set(rows)
    of_task = tables(site / "tasks" / "frequency.html")
    assert list(of_task) == ["frequency on toy", "frequency on toy, guardrails"]
    assert [name for name, _ in of_task["frequency on toy, guardrails"]] == ["twin", "none"]
    assert "twin" not in [name for name, _ in of_task["frequency on toy"]]
    page = (site / "methods" / TRACK / "twin.html").read_text()
    assert "1 (among guardrails)" in page


def test_rows_of_different_divisions_are_not_tied(guarded, derived):
    rows = {
        row.name: row for row in overall_rows(load_board(guarded.store.root, derived).tracks[0])
    }
    assert [(rows[n].rank, rows[n].tied) for n in ("gentle", "twin")] == [(1, False), (1, False)]
    assert rows["harsh"].rank == 2
    ((cited, _),) = citations(guarded.store.root, "twin", "", derived)
    assert "rank 1 among guardrails" in cited


def test_documents_have_a_table_for_each_division(guarded, derived):
    board = load_board(guarded.store.root, derived)
    weights, guardrails = result_figures(board).split("Guardrails, which leave the weights")[:2]
    assert "| 1 | `gentle`" in weights
    assert "`twin`" not in weights
    assert "| 1 | `twin`" in guardrails
    assert "| anchor | `none`" in guardrails


def test_the_terminal_has_a_table_for_each_division(guarded, derived):
    records = [r for r in guarded.store.read_all() if r.track == TRACK and r.status == "ok"]
    cells = [
        SimpleNamespace(
            id=r.id,
            seed=r.seed,
            method=r.method.name,
            parameters={},
            path=lambda store, record=r: store.path_of(record),
        )
        for r in records
    ]
    plan = SimpleNamespace(
        references=[c for c in cells if c.method in ("target", "oracle")],
        cells=[c for c in cells if c.method not in ("target", "oracle")],
    )
    console = Console(file=io.StringIO(), width=120)
    print_standings(plan, guarded.store.root, console, derived)
    weights, guardrails = console.file.getvalue().split("toy guardrails, separate ranking")
    assert "gentle" in weights
    assert "twin" not in weights
    assert "twin" in guardrails
    assert "gentle" not in guardrails
    assert "none" in guardrails
