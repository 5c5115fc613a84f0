"""Memory estimates of models: by hand, against measurements, and the message if memory is too
small.
"""

import re
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import pytest
from toy_models import plain_tokenizer, tiny_model
from typer.testing import CliRunner

from benchmark.cli import app
from benchmark.core.inputs import Inputs
from benchmark.core.updates import Updates
from benchmark.errors import BadInput
from benchmark.models import memory
from benchmark.models.memory import (
    Load,
    Shape,
    activation_bytes,
    shape_of,
    training_bytes,
    unloaded,
)
from benchmark.models.pretrained import models_named, source_of
from benchmark.models.tracks import track_named
from benchmark.pipeline.memory import require_room, room_of
from benchmark.training.lora import Lora, adapt

SHAPE = Shape(parameters=1000, layers=2, hidden=10, vocabulary=50, adapters=100)
LOAD = Load(sequences=4, length=8)
ACTIVATIONS = 4 * 8 * (2 * 17 * 10 + 3 * 50) * 4


@pytest.mark.parametrize(
    ("updates", "each"),
    [
        ({}, 4 + 4 + 8),  # weights, gradients, two states
        ({"states": "int8"}, 4 + 4 + 2),
        ({"weights": "bfloat16"}, 2 + 2 + 8 + 8),  # plus a master copy with its own gradients
        ({"weights": "bfloat16", "rounding": "stochastic"}, 2 + 2 + 8),
        ({"weights": "bfloat16", "rounding": "stochastic", "states": "int8"}, 2 + 2 + 2),
    ],
)
def test_bytes_of_a_parameter_by_how_it_is_updated(updates, each):
    assert training_bytes(SHAPE, LOAD, Updates(**updates)) == 1000 * each + ACTIVATIONS


def test_a_copy_adapters_parts_and_recomputation_by_hand():
    usual = Updates()
    assert training_bytes(SHAPE, LOAD, usual, copies=2) == 1000 * 24 + ACTIVATIONS
    adapted = training_bytes(SHAPE, LOAD, usual, adapters=True)
    assert adapted == 1000 * 4 + 100 * 12 + ACTIVATIONS
    parted = training_bytes(SHAPE, LOAD, Updates(parts=3))
    assert parted == 1000 * 16 + ACTIVATIONS / 2  # two of four sequences at a time
    again = 4 * 8 * (2 * 10 + 17 * 10 + 3 * 50) * 4
    assert activation_bytes(SHAPE, LOAD, again=True) == again
    assert training_bytes(SHAPE, LOAD, usual, again=True) == 1000 * 16 + again


def test_a_shape_is_that_of_the_loaded_model_and_of_its_adapters():
    model, lora = tiny_model(), Lora(rank=3, targets=("q_proj", "down_proj"))
    shape = shape_of(unloaded(model.config), lora)
    assert shape.parameters == sum(p.numel() for p in model.parameters())
    assert shape == shape_of(model, lora)
    adapt(model, lora)
    assert shape.adapters == sum(p.numel() for p in model.parameters() if p.requires_grad)


@pytest.mark.parametrize(("room", "again"), [(10**12, False), (10**6, True)])
def test_activations_that_would_crowd_the_memory_are_computed_again(
    tmp_path, monkeypatch, room, again
):
    tiny_model().save_pretrained(tmp_path / "tiny")
    plain_tokenizer().save_pretrained(tmp_path / "tiny")
    models = models_named(str(tmp_path / "tiny"), Inputs(tmp_path / "home"))
    monkeypatch.setattr(memory, "machine_bytes", lambda: room)
    assert models.load_model(models.base()).is_gradient_checkpointing is again


MEASURED = """
import sys, torch
from transformers import LlamaConfig, LlamaForCausalLM
from benchmark.core.updates import Updates
from benchmark.core.request import Meter
from benchmark.models.memory import Load, shape_of, training_bytes
from benchmark.training.loop import Schedule, train, updated_by
updates = Updates(**eval(sys.argv[1]))
config = LlamaConfig(vocab_size=8000, hidden_size=512, intermediate_size=1376,
                     num_hidden_layers=8, num_attention_heads=8, tie_word_embeddings=True)
def peak():  # of this process: what getrusage says starts at the peak of the one that started it
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
small = LlamaForCausalLM(LlamaConfig(vocab_size=99, hidden_size=8, intermediate_size=8,
                                     num_hidden_layers=1, num_attention_heads=1))
load = Load(2, 32)
def trained(model, vocabulary):
    ids = torch.randint(0, vocabulary, (load.sequences, load.length))
    loss = lambda batch: model(input_ids=batch, labels=batch).loss
    train(model, [ids], loss, Schedule(1, 1e-4), Meter(), len)
trained(small, 99)
before = peak()
with updated_by(updates):
    model = LlamaForCausalLM(config).to(getattr(torch, updates.weights))
    trained(model, 8000)
print(peak() - before, training_bytes(shape_of(model), load, updates))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "updates", [{}, {"weights": "bfloat16", "rounding": "stochastic"}], ids=["float32", "bfloat16"]
)
def test_the_estimate_is_near_what_a_process_takes(updates):
    """The model has 29 million parameters, so that its weights outweigh what libraries allocate."""
    ran = subprocess.run(
        [sys.executable, "-c", MEASURED, repr(updates)], capture_output=True, text=True, check=True
    )
    taken, estimated = map(int, ran.stdout.split())
    assert 0.6 < estimated / taken < 1.6


@pytest.fixture
def planned(tmp_path, monkeypatch):
    """Runs `plan` for a tiny custom model on a machine with the given number of bytes."""
    tiny_model().save_pretrained(tmp_path / "tiny")
    plain_tokenizer().save_pretrained(tmp_path / "tiny")
    source_of.cache_clear()
    monkeypatch.setenv("PALIMPSEST_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)

    def plan(room, *words):
        monkeypatch.setattr("benchmark.pipeline.memory.machine_bytes", lambda: room)
        command = ["plan", "--suite", "smollm2", "--model", str(tmp_path / "tiny"), *words]
        return CliRunner().invoke(app, [*command, "--task", "memorized", "--workers", "2"])

    yield plan
    source_of.cache_clear()


def test_a_plan_says_what_a_worker_takes(planned):
    found = planned(10**12, "--method", "npo")
    assert found.exit_code == 0, found.output
    assert "about 0.7 GB per worker, with the peak in " in found.stdout


def test_an_engine_that_generates_takes_memory_beside_the_model(planned):
    """The engine adds 2 x 0.7 GB of libraries and 1 GiB of cache."""
    found = planned(10**12, "--method", "npo", "--backend", "vllm")
    assert found.exit_code == 0, found.output
    assert "about 3.2 GB per worker, with the peak in evaluation" in found.stdout


@pytest.mark.parametrize(
    ("each", "offers"),
    [(3_500_000, 0), (3_800_000, 1), (4_000_000, 2)],  # needs at least 3,780,256
)
def test_a_plan_that_cannot_fit_is_refused_in_a_line_that_says_what_would(
    planned, monkeypatch, each, offers
):
    monkeypatch.setattr("benchmark.pipeline.memory.PROCESS", 0)
    monkeypatch.setattr("benchmark.pipeline.memory.GIGABYTE", 1)  # show sizes in bytes
    refused = planned(2 * each, "--method", "npo")
    assert refused.exit_code == 2
    (line,) = refused.stderr.strip().splitlines()
    problem, _, remedy = line.partition(" GB: ")
    assert "2 need " in problem
    assert problem.endswith(f"and this machine has {2 * each:.1f}")
    sizes = [float(size) for size in re.findall(r"takes ([\d.]+) GB", remedy)]
    if offers:
        assert len(sizes) == offers
        assert max(sizes) <= each
    else:
        assert remedy.startswith("even ")
        assert min(sizes) > each


@pytest.mark.parametrize(
    ("gpus", "workers", "room"),
    [(0, 4, 80), (4, 1, 320), (4, 2, 160), (4, 3, 80), (4, 5, 40), (1, 3, 320 / 3)],
)
def test_a_worker_has_the_memory_of_its_gpus(monkeypatch, gpus, workers, room):
    """Total memory is 320 bytes; of three workers on four GPUs, two have one GPU each."""
    monkeypatch.setattr("benchmark.pipeline.memory.machine_bytes", lambda: 320)
    monkeypatch.setattr("benchmark.pipeline.memory.accelerators", lambda: gpus)
    assert room_of(workers) == pytest.approx(room)


@pytest.mark.parametrize(("gpus", "workers", "fits"), [(4, 8, False), (4, 3, False), (4, 2, True)])
def test_a_worker_has_as_many_gpus_as_its_track_asks_for(monkeypatch, gpus, workers, fits):
    """Each worker has at least one GPU, or shares one."""
    monkeypatch.setattr("benchmark.pipeline.memory.accelerators", lambda: gpus)
    monkeypatch.setattr("benchmark.pipeline.memory.needs_of", lambda plan: [])
    track = replace(track_named("smollm2-135m"), updates=Updates(processes=2))
    plan = SimpleNamespace(jobs=[SimpleNamespace(variant=SimpleNamespace(track=track))])
    refused = nullcontext() if fits else pytest.raises(BadInput, match="needs 2 GPUs per worker")
    with refused:
        require_room(plan, workers)


def test_a_plan_names_the_number_of_workers_that_fits(planned):
    """A worker takes about 0.7 GB."""
    refused = planned(10**9, "--method", "npo")
    assert refused.exit_code == 2
    assert refused.output.strip().endswith("`--workers 1` fits")
