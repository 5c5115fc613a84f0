"""adapop: weights from frequencies, and a retain weight that follows the retain loss."""

import copy
import math

import pytest
import torch
from toy_models import tiny_model, tiny_tokenizer

from benchmark.core.examples import Pair
from benchmark.core.inputs import Inputs
from benchmark.core.method import create
from benchmark.core.registry import method_named
from benchmark.core.request import Budget, Request
from benchmark.models.tracks import track_named
from benchmark.pipeline.unlearn import _frequency
from benchmark.pipeline.variant import Variant
from benchmark.tokens.batches import collate
from benchmark.tokens.losses import answer_nll

RARE, FREQUENT = Pair("Where was Ada born?", "Malport"), Pair("Who pays Ivo?", "Bren Union")
RETAIN = [Pair("Where was Ivo born?", "Tor"), Pair("Who pays Ada?", "Kel Works")]


def a_request(steps=1):
    return Request(
        forget=[RARE, FREQUENT],
        retain=RETAIN,
        tokenizer=tiny_tokenizer(),
        seed=0,
        budget=Budget(steps=steps, batch_size=2),
        frequency={RARE: 1, FREQUENT: 32},
    )


def token_losses(model, pair):
    """nll of each answer token, worked out from the logits of the whole sequence."""
    batch = collate([pair], tiny_tokenizer())
    with torch.no_grad():
        logits = model(input_ids=batch.input_ids).logits[0].log_softmax(-1)
    ids = batch.input_ids[0].tolist()
    start = len(ids) - len(batch.targets)
    return [-float(logits[i - 1, ids[i]]) for i in range(start, len(ids))]


def test_the_loss_weighs_tokens_by_the_frequency_of_their_pair():
    method, losses = create(method_named("adapop"), {}), []
    loss = method.loss
    method.loss = lambda batch: losses.append(loss(batch)) or losses[-1]
    model = tiny_model()
    before = copy.deepcopy(model)
    method.unlearn(model, a_request())
    terms = []
    for pair, b in ((RARE, 2.0), (FREQUENT, 2 * 32**-0.796)):
        terms += [math.exp(-nll * b) * nll for nll in token_losses(before, pair)]
    with torch.no_grad():
        kept = answer_nll(before, collate(RETAIN, tiny_tokenizer()), per_token=True).mean()
    assert losses[0].item() == pytest.approx(-sum(terms) / len(terms) + float(kept), rel=1e-4)


def test_the_retain_weight_rises_with_the_retain_loss_and_falls_back():
    method = create(method_named("adapop"), {"rate": 2.0, "tolerance": 0.1, "smoothing": 1.0})
    method.before(a_request())  # an epoch is one step
    prices = []
    for retain in (1.0, 1.5, 1.5, 1.0, 20.0, 1.0):
        method._adapt(retain)
        prices.append(method.price)
    assert prices == pytest.approx([0.0, 0.8, 1.6, 1.4, 10.0, 9.8])


def test_exponents_stay_between_the_papers_bounds():
    method = create(method_named("adapop"), {"scale": 58.7})
    assert method._weight(1) == 2.0
    assert method._weight(10**6) == 0.05
    assert method._weight(1000) == pytest.approx(58.7 * 1000**-0.796)


def test_the_engine_counts_the_texts_that_state_a_fact(tmp_path):
    variant = Variant(track_named("controlled-1m-dev"), "frequency", "low", 2, Inputs(tmp_path))
    strata = {example.pair: example.strata for example in variant.data.examples("forget")}
    counted = _frequency(variant.data, 0)
    assert counted.keys() == strata.keys()
    assert {pair: str(count) for pair, count in counted.items()} == {
        pair: tags["frequency"] for pair, tags in strata.items()
    }


def test_texts_count_as_often_as_they_are_read(tmp_path):
    variant = Variant(track_named("controlled-1m-dev"), "memorized", "", 2, Inputs(tmp_path))
    reads = {
        example.pair: int(example.strata["reads"]) for example in variant.data.examples("forget")
    }
    assert _frequency(variant.data, 0) == reads
