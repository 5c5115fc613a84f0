"""The page and the document of scaling, from a folder with a track of two sizes."""

import re
import shutil

import pytest
import toy_board

from leaderboard.board import SCALING_PAGE, load_board
from leaderboard.build import build_site
from leaderboard.scaling_tables import scaling_markdown

MODELS = (("target", 0), ("oracle", 1), ("oracle", 2), ("none", 0), ("gentle", 0), ("harsh", 0))


@pytest.fixture(scope="module")
def scaled(tmp_path_factory, make_folder):
    """Two methods on `frequency` at two sizes; nothing on forget sets of several sizes."""
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


def test_the_site_has_a_page_that_all_others_link_to(scaled, tmp_path):
    site = build_site(scaled, tmp_path / "site").parent
    page = (site / SCALING_PAGE).read_text()
    assert "Are frequent facts harder" in page
    for path in site.rglob("*.html"):
        assert re.search(f'{SCALING_PAGE}"[^>]*>Scaling', path.read_text()), path


def test_without_its_records_there_is_no_page(filled, tmp_path):
    site = build_site(shutil.copytree(filled.store.root, tmp_path / "r"), tmp_path / "site").parent
    assert not (site / SCALING_PAGE).exists()
    assert "Scaling" not in (site / "index.html").read_text()
    assert "No records" in scaling_markdown(load_board(filled.store.root))
