"""A whole run on a local model with custom questions: references, records, validation, and marks on
the pages.
"""

import json

import pytest
from rich.console import Console
from toy_models import tiny_model, tiny_tokenizer

from benchmark.core.inputs import Inputs
from benchmark.evaluation import general_utility as general
from benchmark.evaluation.lm_eval_adapter import HarnessItem
from benchmark.metrics.stages import POINT, sort_of
from benchmark.models.pretrained import source_of
from benchmark.pipeline.execute import execute
from benchmark.pipeline.planner import Planner
from benchmark.pipeline.run_context import RunContext
from benchmark.pipeline.suite import Suite
from benchmark.records.derived import Derived
from benchmark.records.store import ResultStore
from benchmark.records.validation import Folder, validate
from benchmark.reports.terminal import print_standings
from leaderboard.build import build_site

TOWNS = ("Malport", "Kel", "Bren", "Tor", "Ivo", "Ada", "Union", "Mal", "Port", "Elk", "Orm", "Usk")
METHODS = [
    {"name": "none"},
    {"name": "retrain"},
    {"name": "adapop"},
    {"name": "refuse_all"},
    {"name": "grad_diff", "parameters": {"learning_rate": 1e-3}},
    {"name": "grad_diff", "parameters": {"learning_rate": 1e-3, "lora": True}},
    {"name": "sga", "parameters": {"learning_rate": 1e-3}},
]


def lines(side, count):
    return "".join(
        json.dumps(
            {
                "question": f"Where does {side} {i} live?",
                "answer": TOWNS[i],
                "subject": f"{side} {i}",
            }
        )
        + "\n"
        for i in range(count)
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    root = tmp_path_factory.mktemp("pretrained")
    model = root / "Tiny"
    tiny_model().save_pretrained(model)
    tiny_tokenizer().save_pretrained(model)
    for side, count in (("forget", 6), ("retain", 12)):
        (root / f"{side}.jsonl").write_text(lines(side, count))
    own = {side: root / f"{side}.jsonl" for side in ("forget", "retain")}
    return RunContext(Inputs(root / "home", **own), root / "out")


@pytest.fixture(scope="module")
def plan(place):
    """The plan after all its jobs have run; the harness is replaced by a single item that is always
    answered correctly.
    """
    root = place.out.parent
    item = HarnessItem("toy_task", "0", "1 + 1?", "2", 1.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(general, "run_harness", lambda subject, group, limit=None: [item])
        source_of.cache_clear()
        suite = Suite(
            name="toy",
            description="",
            tracks=[str(root / "Tiny")],
            tasks=["custom"],
            methods=METHODS,
            backend="hf",
            oracles=3,
            attacks=["quantize_int4_g64", "relearn_disjoint"],
        )
        planned = Planner(place.inputs, ResultStore(place.out)).plan(suite)
        assert [execute(job, place) for job in planned.jobs] == ["ok"] * len(planned.jobs)
        yield planned


def records(place):
    return {
        (r.method.name, r.method.parameters.get("lora", False), r.seed): r
        for r in place.results.read_all()
    }


def test_what_needs_the_training_data_is_not_planned(plan):
    """This concerns methods that retrain or that need to know how often a fact was stated."""
    assert not {"retrain", "adapop"} & {cell.method_name for cell in plan.cells}
    assert len(plan.cells) == len(METHODS) - 2


def test_references_are_the_target_asked_about_what_never_existed(plan, place):
    found = records(place)
    target, oracles = (
        found["target", False, 0],
        [found["oracle", False, seed] for seed in (1, 2, 3)],
    )
    assert all(r.references.proxy for r in found.values())
    known = {
        s.example: s
        for s in place.results.samples_of(target)
        if (s.stage, s.split) == ("model", "forget")
    }
    for oracle in oracles:
        assert oracle.identity.models == target.identity.models
        assert oracle.provenance.made["made"].startswith("proxy reference")
        samples = place.results.samples_of(oracle)
        stages = {s.stage for s in samples if sort_of(s.stage) != POINT}
        assert stages == {"model", "quantize_int4_g64", "relearn_disjoint"}
        for sample in (s for s in samples if (s.stage, s.split) == ("model", "forget")):
            assert sample.answer == known[sample.example].answer
            assert sample.prompt != known[sample.example].prompt
        kept = [
            (s.example, s.generation) for s in samples if s.stage == "model" and s.split == "retain"
        ]
        target_kept = [
            (s.example, s.generation)
            for s in place.results.samples_of(target)
            if s.stage == "model" and s.split == "retain"
        ]
        assert kept == target_kept


def test_records_say_what_they_were_made_with(plan, place):
    record = records(place)["grad_diff", True, 0]
    assert record.identity.precision == "bfloat16"
    assert record.shards["harness"].recipe["group"] == "palimpsest"
    assert record.method.parameters["lora"] is True
    assert records(place)["grad_diff", False, 0].method.parameters["lora"] is False
    metrics = {(v.split, v.metric) for v in record.value_rows()}
    assert {
        ("harness", "harness_accuracy"),
        ("forget", "mia_min_k_pp"),
        ("forget", "mia_zlib"),
    } <= metrics


def test_every_value_recomputes_and_the_plan_finds_its_records(plan, place):
    assert validate(Folder(place.results)) == []
    assert all(cell.path(place.results).is_file() for cell in (*plan.references, *plan.cells))


def test_reports_and_pages_mark_the_proxy_reference(plan, place, tmp_path):
    console = Console(record=True, width=200)
    print_standings(plan, place.out, console, Derived())
    assert "proxy reference on custom" in console.export_text()
    page = build_site(place.out, tmp_path / "site")
    assert "proxy reference" in page.read_text()
    assert "proxy reference" in (tmp_path / "site" / "tasks" / "custom.html").read_text()
