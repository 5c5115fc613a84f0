"""Fixtures shared by several test folders: a sample, the samples of a model, and a small valid
results folder.
"""

import os
import pickle
import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from hub_server import serving

from benchmark.metrics import Sample
from benchmark.metrics.frames import example_frame
from benchmark.metrics.values import metric_values
from benchmark.records.identity import (
    ORACLE,
    BudgetInfo,
    Evaluation,
    Identity,
    MethodInfo,
    TaskInfo,
)
from benchmark.records.outputs import Inputs, outputs_to_bytes, rounded, samples_of, stage_digests
from benchmark.records.schema import Cost, Provenance, Record, References, Shard
from benchmark.records.store import ResultStore
from benchmark.records.values import tables_of, versions_of
from leaderboard.board import load_board

PROGRAM = Path(sys.executable).with_name("palimpsest")
RESULTS = Path(__file__).resolve().parents[1] / "results"
SPLIT_SIZES = {"forget": 6, "retain": 4, "neighbors": 2, "general": 2, "holdout": 4}
# How well each synthetic model knows the forget set and everything else, in 0..1.
KNOWLEDGE = {"target": (0.9, 0.9), "oracle": (0.2, 0.9), "alpha": (0.3, 0.85), "beta": (0.7, 0.6)}


# The slowest files run first so that two test processes finish at about the same time.
LONG = (
    "test_run",
    "test_toy_tasks",
    "test_vllm_engine",
    "test_run_on_pretrained_model",
    "test_attacked_cells",
    "test_published",
)


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: LONG.index(item.path.stem) if item.path.stem in LONG else len(LONG))


def logs(*probabilities):
    """Log-probabilities of tokens with these probabilities."""
    return np.log(np.array(probabilities, dtype=float))


def _sample(**changes):
    """A sample of one question, with two held-out prompts and two wrong answers; `changes`
    replace fields.
    """
    fields = {
        "stage": "model",
        "split": "forget",
        "example": "e0",
        "entity": "p0",
        "prompt": "Where does Ada live?",
        "answer": "Kel",
        "logprobs": logs(0.5, 0.125),
        "correct": np.array([True, False]),
        "generation": "She lives in Kel.",
        "form": "name",
        "paraphrases": ("Ada's town?", "The home of Ada?"),
        "paraphrase_logprobs": (logs(0.5), logs(0.25)),
        "paraphrase_generations": ("Kel", "Mur"),
        "perturbed": ("Mur", "Tol"),
        "perturbed_logprobs": (logs(0.1), logs(0.4)),
    }
    fields |= changes
    return Sample(**(fields if fields["prompt"] else {**fields, "form": "text"}))


def _example_samples(split, number, known, rng, stage):
    """A sample of a model that knows this example about as well as `known` (0..1) states."""

    def tokens(level):
        return rounded(
            np.log([min(0.99, max(0.01, level + rng.uniform(-0.08, 0.08))) for _ in range(3)])
        )

    answer, wrong = f"Town{split}{number}", f"Burg{number}"
    said = answer if known > rng.uniform(0.2, 0.8) else wrong
    return _sample(
        stage=stage,
        split=split,
        example=f"{split}-{number}",
        entity=f"{split}-person-{number // 2}",
        prompt=f"Where does person {number} of {split} live?",
        answer=answer,
        logprobs=tokens(known),
        correct=np.array([known > rng.random() for _ in range(3)]),
        generation=f"In {said}.",
        strata={"frequency": "high" if number % 2 else "low"} if split == "forget" else {},
        paraphrases=("Town?",),
        paraphrase_logprobs=(tokens(known),),
        paraphrase_generations=(said,),
        perturbed=(wrong,),
        perturbed_logprobs=(tokens(1 - known),),
    )


def _model_samples(forget, rest, seed):
    """Samples of a model on all splits, and on the forget split after an attack that recovers some
    knowledge.
    """
    found = []
    for stage in ("model", "shaken"):
        for split, size in SPLIT_SIZES.items():
            known = {"forget": forget, "holdout": 0.15}.get(split, rest)
            if stage == "shaken":
                known = min(0.95, known + 0.05)
            if stage == "model" or split == "forget":
                rng = random.Random(f"{stage}-{split}-{seed}-{forget}")
                found += [_example_samples(split, i, known, rng, stage) for i in range(size)]
    return found


def _identity(name, seed, **changes):
    """Identity of a cell of the toy task; `changes` replace fields."""
    fields = {
        "track": "toy",
        "task": TaskInfo(name="towns", version=1, variant="low", data_fingerprint="d0"),
        "models": [f"m{seed if name == ORACLE else 0}"],
        "method": MethodInfo(
            name=name,
            reference="",
            family="test",
            sees=["forget"],
            anchor=False,
            source_hash="s0",
            parameters={},
        ),
        "seed": seed,
        "budget": BudgetInfo(steps=3, batch_size=2),
        "precision": "float32",
        "settings": {"profile": {"prompts": "bare"}},
    }
    return Identity(**(fields | changes))


EVALUATION = Evaluation(generation={"backend": "hf", "max_new_tokens": 10})


def _record(name, seed, samples, oracles, identity=None, **changes):
    """(record, samples): a successful record with the values of these samples; `oracles` maps the
    ids of the oracles' records to their samples.
    """
    identity = identity or _identity(name, seed)
    others = [_frame(other) for oracle_id, other in oracles.items() if oracle_id != identity.id]
    tables = tables_of(metric_values(_frame(samples), others))
    shards = {
        stage: Shard(
            id=EVALUATION.shard_id(identity.id, stage, {}), recipe={}, rows=rows, digest=digest
        )
        for stage, (rows, digest) in stage_digests(samples).items()
    }
    target = identity.model_copy(
        update={"method": _identity("target", 0).method, "seed": 0, "models": ["m0"]}
    )
    fields = {
        "id": identity.id,
        "status": "ok",
        "identity": identity,
        "evaluation": EVALUATION,
        "references": References(target=target.id, oracles=list(oracles)),
        "shards": shards,
        "metrics": versions_of(tables),
        "values": tables,
        "provenance": Provenance(
            created="2025-01-01T00:00:00+00:00",
            commit="c0",
            dirty=False,
            packages={},
            python="3.11",
            platform="test",
            cpu="test",
            gpu="none",
            threads=1,
            cost=Cost(steps=3, tokens=30, seconds={"unlearn": 0.5}),
            made={"steps": 3},
            weights="w0",
            division="weights",
        ),
    }
    return Record(**(fields | changes)), samples


def _frame(samples):
    """The example frame as it is read back from the files of a record."""
    inputs = Inputs.of(samples)
    return example_frame(samples_of(outputs_to_bytes(samples, inputs), inputs))


@pytest.fixture(scope="session")
def make_sample():
    return _sample


@pytest.fixture(scope="session")
def make_record():
    """Builds (record, samples): `make_record(name, seed, samples, oracles, **changes)`."""
    return _record


@pytest.fixture(scope="session")
def make_identity():
    """Builds the identity of a cell of the toy task: `make_identity(name, seed, **changes)`."""
    return _identity


@pytest.fixture(scope="session")
def model_samples():
    """Samples of a synthetic model: `model_samples(forget, rest, seed)`, with two knowledge levels
    in 0..1.
    """
    return _model_samples


@pytest.fixture(scope="session")
def _template(tmp_path_factory):
    root = tmp_path_factory.mktemp("results")
    store = ResultStore(root)
    oracles = {_identity(ORACLE, s).id: _model_samples(*KNOWLEDGE["oracle"], s) for s in (1, 2)}
    runs = [
        ("target", 0),
        ("oracle", 1),
        ("oracle", 2),
        *((m, s) for m in ("alpha", "beta") for s in (0, 1)),
    ]
    for name, seed in runs:
        store.write(*_record(name, seed, _model_samples(*KNOWLEDGE[name], seed), oracles))
    return root


@pytest.fixture
def results(tmp_path, _template):
    """A separate, valid results folder: target, two oracles, and the methods alpha and beta with
    two seeds each.
    """
    root = tmp_path / "results"
    shutil.copytree(_template, root)
    return ResultStore(root)


@pytest.fixture(scope="session")
def published(tmp_path_factory, worker_id):
    """The committed records with their standings, computed once by one of the test processes."""
    if worker_id == "master":
        return load_board(RESULTS)
    file = tmp_path_factory.getbasetemp().parent / "published.pickle"
    with FileLock(f"{file}.lock"):
        if not file.is_file():
            file.write_bytes(pickle.dumps(load_board(RESULTS)))
        return pickle.loads(file.read_bytes())


@pytest.fixture(autouse=True)
def _without_engine(monkeypatch):
    """Runs models in memory unless a test names a backend, since an engine takes 20 s to start."""
    for place in ("pipeline.planner", "inference.vllm_engine"):
        monkeypatch.setattr(f"benchmark.{place}.usual_backend", lambda pretrained: "hf")


@pytest.fixture
def hub():
    """An empty hub on this machine."""
    with serving() as hub:
        yield hub


@pytest.fixture
def hub_environment(hub, tmp_path):
    """Environment for processes that know only this hub; they read the hub's address when they
    start.
    """
    own = {
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(tmp_path / "hf"),
        "HF_TOKEN": "hf_of_a_test",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "PALIMPSEST_HOME": str(tmp_path / "home"),
        "OMP_NUM_THREADS": "1",
    }
    kept = {
        k: v for k, v in os.environ.items() if k not in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")
    }
    return kept | own


@pytest.fixture
def palimpsest(hub_environment, tmp_path):
    """Runs the command in a separate process."""

    def run(*words):
        command = [PROGRAM, *map(str, words)]
        return subprocess.run(
            command, env=hub_environment, cwd=tmp_path, capture_output=True, text=True, timeout=300
        )

    return run
