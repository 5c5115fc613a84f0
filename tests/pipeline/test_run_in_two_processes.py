"""A pretrained model fine-tuned and unlearned by two processes: the records equal those of one
process, and a method that needs whole weights fails with the reason.
"""

import json

import pytest
import torch
from toy_models import plain_tokenizer, tiny_model
from transformers import AutoModelForCausalLM

from benchmark.core.inputs import Inputs
from benchmark.core.task_data import Document
from benchmark.models import models_of
from benchmark.models.memory import Load, shape_of, training_bytes
from benchmark.models.pretrained import source_of
from benchmark.models.tracks import track_named
from benchmark.pipeline.execute import execute
from benchmark.pipeline.planner import Planner
from benchmark.pipeline.run_context import RunContext
from benchmark.pipeline.suite import Suite
from benchmark.records.store import ResultStore
from benchmark.records.validation import Folder, validate

TOWNS = ("Malport", "Kel", "Bren", "Tor")
FILE = """precision: float32
budget: {{steps: 2, batch_size: 4}}
stage: {{epochs: 1, batch_size: 4, learning_rate: 1.0e-2}}
harness: ""
attacks: [{{name: quantize_int4_g64}}]
updates: {updates}
"""


@pytest.fixture
def inputs(tmp_path):
    """A function of update settings that returns inputs with a tiny model and custom questions."""
    tiny_model().save_pretrained(tmp_path / "tiny")
    plain_tokenizer().save_pretrained(tmp_path / "tiny")
    for side in ("forget", "retain"):
        rows = [
            {"question": f"Where does {side} {i} live?", "answer": town, "subject": f"{side} {i}"}
            for i, town in enumerate(TOWNS * 2)
        ]
        (tmp_path / f"{side}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    source_of.cache_clear()

    def made(updates):
        file = tmp_path / f"{len(updates)}.yaml"
        file.write_text(FILE.format(updates=updates))
        own = {side: tmp_path / f"{side}.jsonl" for side in ("forget", "retain")}
        return Inputs(tmp_path / "home", **own, track_file=file)

    yield made
    source_of.cache_clear()


def test_a_run_in_two_processes_has_valid_records_and_says_what_needs_one(inputs, tmp_path):
    place = RunContext(inputs("{processes: 2}"), tmp_path / "out")
    suite = Suite(
        name="toy",
        description="",
        tracks=[str(tmp_path / "tiny")],
        tasks=["custom"],
        methods=["grad_diff", "npo_sam"],
        oracles=2,
        backend="hf",
    )
    plan = Planner(place.inputs, ResultStore(place.out)).plan(suite)
    told = {job.cells[0].method_name: execute(job, place) for job in plan.jobs if job.cells}
    assert told.pop("npo_sam").startswith("RuntimeError: process")
    assert set(told.values()) == {"ok"}
    assert validate(Folder(place.results)) == []
    records = {r.method.name: r for r in place.results.read_all()}
    assert records["grad_diff"].identity.settings["updates"]["processes"] == 2
    assert records["grad_diff"].provenance.cost.steps == 2
    assert "needs whole weights" in records["npo_sam"].error.message
    assert "npo_sam.py" in records["npo_sam"].error.traceback


def test_two_processes_fine_tune_as_one_does_on_two_parts(inputs, tmp_path):
    documents = tuple(
        Document(f"e{i}", f"Where does Ivo {i} live?", town) for i, town in enumerate(TOWNS)
    )
    made = []
    for updates in ("{processes: 2}", "{parts: 2}"):
        given = inputs(updates)
        models = models_of(track_named(str(tmp_path / "tiny"), given.track_file), given)
        folder = models.trained(documents, 0)
        made.append(AutoModelForCausalLM.from_pretrained(folder).state_dict())
    start = tiny_model().state_dict()
    for name, tensor in made[0].items():
        assert torch.allclose(tensor, made[1][name], atol=1e-5), name
    assert any(not torch.allclose(made[0][name], start[name], atol=1e-4) for name in made[0])


def test_shares_add_up_to_one_model_and_copies_do_not():
    """In float32, weights, gradients and two optimiser states take 16 bytes per parameter, shared
    among processes. A copy takes 4 bytes per parameter in each process, and so do the whole weights
    that every process loads and saves. Activations of a batch are counted once in total.
    """
    from benchmark.core.updates import Updates

    shape, load = shape_of(tiny_model()), Load(8, 16)
    alone, together = Updates(parts=2), Updates(parts=2, processes=2)
    one, both = (training_bytes(shape, load, updates) for updates in (alone, together))
    kept = one - 16 * shape.parameters
    assert both == 16 * shape.parameters + max(kept, 2 * 4 * shape.parameters)
    copied = [training_bytes(shape, load, u, copies=1) for u in (alone, together)]
    assert copied[0] - one == 4 * shape.parameters
    assert copied[1] - both == 2 * 4 * shape.parameters
