"""Marks and disputes on the pages: they are shown beside the numbers without replacing them."""

import json
import re

import pytest
from toy_board import TRACK, record_id

from benchmark.errors import BadInput
from benchmark.records.derived import Derived
from benchmark.records.marks import sign
from leaderboard.board import load_board
from leaderboard.build import build_site
from leaderboard.tables import overall_rows, task_rows, variant_rows

LINK = "https://example.org/attack"


@pytest.fixture(scope="module")
def derived(tmp_path_factory):
    """A shared cache, so that scores are computed once: marks do not change them."""
    return Derived.below(tmp_path_factory.mktemp("home"))


@pytest.fixture
def rows_of(derived):
    def rows_of(folder):
        track = load_board(folder.store.root, derived).tracks[0]
        return {row.name: row for row in overall_rows(track)}, track

    return rows_of


@pytest.fixture
def built(derived):
    return lambda folder: (
        build_site(folder.store.root, folder.store.root.parent / "site", derived).parent
    )


def runs_of(folder, name):
    return [r for r in folder.store.read_all() if r.method.name == name and r.track == TRACK]


def dispute(folder, records, score, file="eve", **changes):
    named = records if isinstance(records, dict) else {r.id: r.digest for r in records}
    fields = {
        **{"by": "Eve", "at": "2026-01-31", "link": LINK, "attack": "relearn_all"},
        **{"score": score, "records": named, "attacked": dict.fromkeys(named, "0" * 16)},
    }
    path = folder.store.root / "disputes" / f"{file}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(fields | changes))


def line_of(page, name):
    rows = re.findall(r"<tr.*?</tr>", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    row = next(r for r in rows if f">{name}</a>" in r)
    return " ".join(re.sub(r"<[^>]*>", " ", row).split())


def test_marks_of_all_runs_and_of_some(folder, rows_of, built):
    runs = runs_of(folder, "gentle")
    sign(folder.store, "submitted", "Ada", runs, LINK)
    sign(folder.store, "recomputed", "CI", runs)
    sign(folder.store, "recomputed", "Bob", runs[:1])
    sign(folder.store, "rerun", "Bob", runs[:1])
    row = rows_of(folder)[0]["gentle"]
    assert [mark.label for mark in row.marks] == ["submitted", "recomputed", "rerun 1 of 2"]
    assert [mark.by for mark in row.marks] == [["Ada"], ["Bob", "CI"], ["Bob"]]
    site = built(folder)
    shown = line_of(site / "index.html", "gentle")
    assert "gentle submitted recomputed rerun 1 of 2 sees" in shown
    assert "submitted" not in line_of(site / "index.html", "twin")
    page = (site / "methods" / TRACK / "gentle.html").read_text()
    assert f'submitted</strong>: 2 of 2 runs, by Ada, {row.marks[0].at} <a href="{LINK}"' in page


def test_a_mark_with_another_digest_is_not_shown(folder, rows_of):
    run = runs_of(folder, "gentle")[0]
    sign(folder.store, "recomputed", "Ada", [run.model_copy(update={"seal": "", "values": {}})])
    assert rows_of(folder)[0]["gentle"].marks == []


def test_a_malformed_mark_is_bad_input(folder):
    (folder.store.root / "marks").mkdir()
    (folder.store.root / "marks" / "rerun-0.json").write_text("{}")
    with pytest.raises(BadInput, match=r"rerun-0\.json: mark: Field required"):
        load_board(folder.store.root)


def test_a_dispute_lowers_the_shown_number_and_keeps_the_score_and_the_rank(folder, rows_of, built):
    before = rows_of(folder)[0]["gentle"]
    dispute(folder, runs_of(folder, "gentle"), 0.012)
    row, own = rows_of(folder)[0]["gentle"], before.quantity("score")
    assert (row.quantity("score"), row.rank, row.tied) == (own, before.rank, before.tied)
    assert row.lowered.score == 0.012
    site = built(folder)
    shown = line_of(site / "index.html", "gentle")
    interval = f"{own.low:.3f}–{own.high:.3f}"
    assert f"0.012 disputed under relearn_all; own score {own.value:.3f} {interval} " in shown, (
        shown
    )
    page = (site / "methods" / TRACK / "gentle.html").read_text()
    assert "2 of 2 runs score 0.012 under relearn_all: Eve, 2026-01-31" in page
    assert f'href="{LINK}"' in (site / "index.html").read_text()
    cited = f"[{own.low:.3f}, {own.high:.3f}] (disputed: 0.012 under relearn_all, {LINK}), rank 1"
    assert cited in page


def test_the_lowest_of_several_disputes_counts(folder, rows_of):
    runs = runs_of(folder, "gentle")
    for number, score in enumerate((0.03, 0.01, 0.02)):
        dispute(folder, runs, score, file=f"eve{number}")
    row = rows_of(folder)[0]["gentle"]
    assert row.lowered.score == 0.01
    assert [own.dispute.score for own in row.disputes] == [0.01, 0.02, 0.03]


def test_a_higher_number_lowers_nothing(folder, rows_of):
    dispute(folder, runs_of(folder, "gentle"), 0.999)
    row = rows_of(folder)[0]["gentle"]
    assert row.lowered is None
    assert len(row.disputes) == 1


def test_a_dispute_of_one_run_is_named_on_the_row_and_lowers_that_variant_alone(
    folder, rows_of, built
):
    low = [run for run in runs_of(folder, "gentle") if run.id == record_id("low", "gentle", 0)]
    dispute(folder, low, 0.05)
    rows, track = rows_of(folder)
    assert rows["gentle"].lowered is None
    assert "gentle disputed sees" in line_of(built(folder) / "index.html", "gentle")
    (own,) = [row for row in variant_rows(track, "frequency/low") if row.name == "gentle"]
    assert own.lowered.score == 0.05
    (other,) = [row for row in variant_rows(track, "frequency/high") if row.name == "gentle"]
    assert not other.disputes


def test_a_dispute_of_the_row_lowers_the_task_that_has_the_same_runs(folder, rows_of):
    dispute(folder, runs_of(folder, "gentle"), 0.05)
    (row,) = [r for r in task_rows(rows_of(folder)[1], "frequency") if r.name == "gentle"]
    assert row.lowered.score == 0.05


def test_a_dispute_of_a_former_record_is_not_one_of_its_successor(folder, rows_of):
    runs = runs_of(folder, "gentle")
    dispute(folder, {run.id: "1" * 16 for run in runs}, 0.05)
    assert not rows_of(folder)[0]["gentle"].disputes


def test_what_a_dispute_says_is_text_and_never_markup(folder, built):
    dispute(folder, runs_of(folder, "gentle"), 0.1, attack="<script>alert(1)</script>")
    site = built(folder)
    for page in (site / "index.html", site / "methods" / TRACK / "gentle.html"):
        assert "<script>alert" not in page.read_text()
