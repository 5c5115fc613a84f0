"""Reports on the metrics: in the terminal, as docs/META.md, and on the site."""

import json
import re
from itertools import product

import pandas as pd
import pytest
from rich.console import Console

from benchmark.data.tellings import KNOWING, TELLINGS
from benchmark.errors import BadInput
from benchmark.metrics import METRICS
from benchmark.records.derived import Derived
from benchmark.records.store import ResultStore
from benchmark.reports import meta_page, meta_report
from benchmark.statistics.meta_evaluation import BOARD
from benchmark.statistics.meta_tables import MetaTables, meta_tables
from leaderboard import metric_pages
from leaderboard.board import METRICS_PAGE, Board
from leaderboard.render import Renderer

WORLD = "controlled-250k-pools-dev"
SIZES = tuple(product((1e-3, 2e-3), (5, 10)))
VARIANTS = {
    "frequency/low": ("exact_answer", "mia_loss", "truth_ratio"),
    "memorized": ("memorization_accuracy", "mia_loss"),
}


def one(track, variant, method, metric, value, stage="model", **more):
    about = {"id": f"{method}{variant}{more}", "track": track, "variant": variant, "seed": 0}
    row = about | {"method": method, "anchor": method in ("pool", "exact_refusal")}
    return row | {"metric": metric, "value": value, "stage": stage, "stratum": "all", **more}


def pool_rows():
    """`exact_answer`, texts and membership separate models that know from others; `truth_ratio`
    does not.
    """
    for telling, (rate, epochs) in product(TELLINGS, SIZES):
        told = {"telling": telling, "learning_rate": rate, "epochs": epochs}
        knows, seen = float(telling in KNOWING), float(telling == "facts")
        for variant, metrics in VARIANTS.items():
            for metric in metrics:
                value = {"mia_loss": seen, "truth_ratio": rate}.get(metric, knows)
                yield one(WORLD, variant, "pool", metric, value, **told)
        yield one(WORLD, "frequency/low", "pool", "exact_answer", knows, "prefix", **told)


def board_rows():
    for metric, turned in (("exact_answer", 1), ("truth_ratio", -1)):
        known = {"target": 1.0, "oracle": 0.0, "npo": 0.5 + 0.2 * turned, "simnpo": 0.5}
        for method, value in known.items():
            yield one(BOARD, "fictitious", method, metric, value)
    yield one(WORLD, "frequency/low", "exact_refusal", "exact_answer", 0.0)


@pytest.fixture
def tables(monkeypatch):
    """Tables of these values, passed to every module that shows them."""
    made = MetaTables([])
    columns = ["telling", "learning_rate", "epochs"]
    values = pd.DataFrame([*pool_rows(), *board_rows()])
    made.__dict__["values"] = values.reindex(columns=[*dict.fromkeys([*values.columns, *columns])])
    for module in (meta_page, meta_report, metric_pages):
        monkeypatch.setattr(module, "meta_tables", lambda results: made)
    return made


def test_the_rule_is_printed_for_each_form_of_answers(tables, tmp_path):
    console = Console(width=200, record=True)
    meta_report.print_meta(tmp_path, console)
    text = console.export_text()
    lines = [line.split() for line in text.splitlines()]
    rule = {(line[0], line[1]): line for line in lines[-40:] if len(line) == 9}
    assert rule["names", "exact_answer"][2:4] == ["forgetting", "1.00"]
    assert rule["names", "exact_answer"][-1] == "yes"
    assert rule["names", "truth_ratio"][-1] == "–"
    assert rule["texts", "mia_loss"][-1] == "yes", "those that saw the examples stand out"
    assert "questions 12 + 12" in text


def test_the_page_names_what_meets_the_rule_and_what_catches_the_anchors(tables, tmp_path):
    text = meta_page.meta_page(ResultStore(tmp_path))
    judged = text.split("## Questions")[1].split("## ")[0]
    meets = dict(re.findall(r"^\| `(\w+)` \|.*\| (yes|no|–) \|$", judged, re.MULTILINE))
    assert meets == {"exact_answer": "yes", "mia_loss": "yes", "truth_ratio": "–"}
    assert "| `exact_answer` | forgetting | 12 + 12 |" in judged
    assert "| `mia_loss` | privacy | 4 + 12 |" in judged, "those that saw the examples"
    assert "| `prefix` | 1.00 [1.00, 1.00] |" in text, "a probe has a row of its own"
    [caught] = re.findall(r"\| `exact_answer` \|([^\n]*)\n", text.split("## Gaming anchors")[1])[:1]
    assert "0.00" in caught
    assert "-1.00" in text.split("## Agreement")[1], "the two metrics order the methods otherwise"


def test_the_site_shows_every_metric_in_table_and_plot(tables, tmp_path):
    board = Board(ResultStore(tmp_path), Derived(), [], [], [], [], extra=frozenset({METRICS_PAGE}))
    shared = {"axes_of_metrics": {name: [] for name in METRICS}}
    pages = dict(metric_pages.metric_pages(board, Renderer({}, board.extra, **shared)))
    page = pages[METRICS_PAGE]
    found = re.findall(r'id="auc-[^"]*">(.*?)</script>', page)
    figures = [json.loads(text) for text in found]
    assert len(figures) == 2, "questions and texts"
    shown = {name for trace in figures[0]["data"] for name in trace["y"]}
    assert shown == {"exact_answer", "mia_loss", "truth_ratio"}
    assert "prefix: exact_answer" not in page, "probes are in docs/META.md"


def test_without_pools_there_is_one_line(tmp_path):
    with pytest.raises(BadInput, match="no pools; `palimpsest run --suite meta` trains them"):
        meta_tables(ResultStore(tmp_path))
