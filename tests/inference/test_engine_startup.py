"""An engine starts while the model is scored, without vLLM: the engine is a stand-in."""

import threading

import pytest
from toy_models import tiny_model, tiny_tokenizer

from benchmark.core.examples import Pair
from benchmark.inference import predictors
from benchmark.inference.predictors import EnginePredictor, ModelPredictor, predictor_of
from benchmark.inference.vllm_engine import EngineDied

PAIRS = [Pair("Where was Ada Kel born?", "Velmora")]


class StandIn:
    alive = True


class Starts:
    """In place of `Engines`: starts count, each only after a scoring pass has begun."""

    def __init__(self, error=None):
        self.begun, self.folders, self.error = threading.Event(), [], error

    def at(self, folder, dtype, length):
        assert self.begun.wait(30), "the scoring pass waits for the engine"
        assert (folder / "config.json").is_file()
        self.folders.append(folder)
        if self.error:
            raise self.error
        return StandIn()


@pytest.fixture
def starts(monkeypatch):
    def replaced(error=None):
        found, scored = Starts(error), ModelPredictor.score

        def score(self, pairs):
            found.begun.set()
            return scored(self, pairs)

        monkeypatch.setattr(ModelPredictor, "score", score)
        monkeypatch.setattr(predictors, "_engines", found)
        monkeypatch.setattr(predictors, "_loaded", {})
        return found

    return replaced


@pytest.fixture
def predictor():
    return predictor_of(tiny_model(), tiny_tokenizer(), "vllm")


def test_an_engine_starts_during_the_scoring_pass(starts, predictor):
    found = starts()
    scores = predictor.score(PAIRS)
    assert scores.keys() == set(PAIRS)
    assert predictor._engine().alive
    assert len(found.folders) == 1
    assert not found.folders[0].exists()


def test_a_running_engine_is_neither_started_again_nor_given_weights_by_a_scoring_pass(
    starts, predictor
):
    found = starts()
    predictor.score(PAIRS)
    other = EnginePredictor(predictor.model, predictor.tokenizer)
    other.score(PAIRS)
    assert len(found.folders) == 1
    other._engine()
    assert len(found.folders) == 2


def test_an_engine_that_does_not_start_is_an_error_of_the_scoring_pass(starts, predictor):
    found = starts(EngineDied("did not start"))
    with pytest.raises(EngineDied, match="did not start"):
        predictor.score(PAIRS)
    assert not found.folders[0].exists()
