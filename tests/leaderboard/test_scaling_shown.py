"""The scaling page and document, from a folder with tracks of two sizes."""

import re
import shutil

import pandas as pd
import pytest
import toy_board

from leaderboard.board import SCALING_PAGE, load_board
from leaderboard.build import build_site
from leaderboard.scaling_tables import best_by_size, scaling_markdown

MODELS = (("target", 0), ("oracle", 1), ("oracle", 2), ("none", 0), ("gentle", 0), ("harsh", 0))


@pytest.fixture(scope="module")
def scaled(tmp_path_factory, make_folder):
    """Two methods on `frequency` at two sizes, without forget sets of several sizes."""
    folder = make_folder(tmp_path_factory.mktemp("scaled") / "results")
    for track in ("study-250k", "study-1m"):
        for variant in toy_board.FREQUENCIES:
            for name, seed in MODELS:
                folder.add(variant, name, seed, track=track)
    return folder.store.root


def test_methods_are_compared_over_sizes_and_anchors_left_out(scaled):
    text = scaling_markdown(load_board(scaled))
    harder = text.partition("harder")[2].partition("##")[0]
    assert "| method | 0.26M | 0.93M |" in harder
    assert "| gentle | " in harder
    assert "none" not in text


def test_the_best_comes_before_those_that_may_be_as_good_by_share_then_size():
    names = ["share", "size", "method", "value", "low", "high"]
    rows = [
        (10, 3.9, "alone", 0.8, 0.75, 0.85),
        (10, 0.26, "second", 0.6, 0.5, 0.7),
        (10, 0.26, "first", 0.65, 0.5, 0.8),
        (5, 3.9, "other", 0.1, 0.0, 0.2),
    ]
    assert best_by_size(pd.DataFrame(rows, columns=names)).to_numpy().tolist() == [
        ["5 %", "3.9M", "other 0.10 [0.00, 0.20]", "–"],
        ["10 %", "0.26M", "first 0.65 [0.50, 0.80]", "second 0.60 [0.50, 0.70]"],
        ["10 %", "3.9M", "alone 0.80 [0.75, 0.85]", "–"],
    ]


def test_the_site_has_a_page_that_all_others_link_to(scaled, tmp_path):
    site = build_site(scaled, tmp_path / "site").parent
    page = (site / SCALING_PAGE).read_text()
    assert "Are frequent facts harder" in page
    for path in site.rglob("*.html"):
        assert re.search(f'{SCALING_PAGE}"[^>]*>Scaling', path.read_text()), path


def test_methods_of_a_study_have_no_rank_beside_a_track_that_is_ranked(make_folder, tmp_path):
    folder = make_folder(tmp_path / "results")
    for track in ("toy", "study-1m"):
        for name, seed in MODELS:
            folder.add("low", name, seed, track=track)
    site = build_site(folder.store.root, tmp_path / "site").parent
    ranked, studied = (
        (site / "methods" / track / "gentle.html").read_text() for track in ("toy", "study-1m")
    )
    assert "<dt>rank</dt>" in ranked
    assert ", rank 1" in ranked
    assert "<dt>rank</dt>" not in studied
    assert ", unranked" in studied
    explorer = "explore.html#track=study"
    assert not any(explorer in path.read_text() for path in site.rglob("*.html"))


def test_without_its_records_there_is_no_page(filled, tmp_path):
    site = build_site(shutil.copytree(filled.store.root, tmp_path / "r"), tmp_path / "site").parent
    assert not (site / SCALING_PAGE).exists()
    assert "Scaling" not in (site / "index.html").read_text()
    assert "No records" in scaling_markdown(load_board(filled.store.root))
