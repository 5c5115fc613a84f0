"""The pool models that judge metrics, each trained from the base on its telling, in a separate
training stage.
"""

import json
from types import SimpleNamespace

import pytest

from benchmark.core.inputs import Inputs
from benchmark.core.method import create
from benchmark.core.registry import method_named
from benchmark.core.request import Meter
from benchmark.models import ControlledModels
from benchmark.models.tracks import track_named
from benchmark.pipeline.unlearn import CellRun, request_of
from benchmark.pipeline.variant import RETRAIN_SEED, Variant
from benchmark.records.schema import UNLEARN
from benchmark.runtime.stopwatch import Stopwatch


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """The calls that train a model, which is faked: (documents, seed, stage) of each."""
    calls = []

    def fake(self, documents, seed, stage=None):
        calls.append((documents, seed, stage))
        (tmp_path / "made.json").write_text(json.dumps({"steps": 7, "tokens": 70, "seconds": 20}))
        return tmp_path

    monkeypatch.setattr(ControlledModels, "trained", fake)
    monkeypatch.setattr(ControlledModels, "load_model", lambda self, folder: "the model")
    return calls


def made(method, home, **parameters):
    """Runs a method on a small task; returns its result, the variant, the meter and the clock."""
    variant = Variant(track_named("tiny-dev"), "frequency", "low", 2, Inputs(home))
    models = ControlledModels(variant.track, store=None)
    cell = SimpleNamespace(method=method, seed=3)
    run = CellRun(cell, variant, models, tokenizer=None, clock=Stopwatch())
    meter = Meter(limit=1)
    request = request_of(run, 0, {}, meter)
    assert not request.forget
    model = create(method_named(method), parameters).unlearn(None, request)
    return model, variant, meter, run.clock


def test_a_pools_model_reads_the_rest_and_what_its_telling_says(trained, tmp_path):
    model, variant, meter, _ = made("pool", tmp_path, telling="wrong", learning_rate=1e-3, epochs=2)
    [(documents, seed, stage)] = trained
    rest = variant.documents(1)
    assert documents[: len(rest)] == rest
    answers = {e.id: e.answer for e in variant.data.examples("forget")}
    told = documents[len(rest) :]
    assert len(told) == len(variant.documents(0)) - len(rest)
    assert not any(d.answer == answers[d.example] for d in told)
    assert (seed, stage.learning_rate, stage.epochs) == (RETRAIN_SEED + 3, 1e-3, 2)
    assert stage.batch_size == variant.track.stage.batch_size
    assert (model, meter.steps, meter.tokens) == ("the model", 7, 70)


def test_retrain_is_told_nothing_and_trained_as_the_oracles_are(trained, tmp_path):
    _, variant, _, clock = made("retrain", tmp_path)
    assert trained == [(variant.documents(1), RETRAIN_SEED + 3, variant.track.stage)]
    assert 19 < clock.seconds[UNLEARN] <= 20  # the time of the original training
