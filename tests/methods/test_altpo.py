"""Preference for alternative answers, against the formula computed one token at a time."""

import math

import pytest
from hidden_helpers import FORGET, RETAIN, TEXTS, a_request, first_loss, knowing, mean_nll, nll
from toy_models import tiny_model

from benchmark.api import as_question
from benchmark.core.examples import Pair
from benchmark.core.method import create
from benchmark.core.registry import method_named
from benchmark.errors import BadInput
from methods._shared.alternatives import holds, other_answers_of


@pytest.mark.parametrize("forget", [FORGET, TEXTS], ids=["questions", "texts"])
def test_altpo_prefers_other_answers_by_more_than_the_target_does(forget):
    """-(2/b) log sigmoid(b [(nll(y) - nll_ref(y)) - (nll(y+) - nll_ref(y+))]), with nll of whole
    answers y and y+ to the same question.
    """
    model, reference, b = tiny_model(0), tiny_model(1), 0.05
    known = other_answers_of(forget, RETAIN, 1, 0)
    loss, batch = first_loss(
        "altpo", model, a_request(forget, RETAIN), reference, beta=b, samples=1, retain_weight=2.0
    )
    terms = []
    for pair in batch.forget.pairs:
        asked, (other,) = as_question(pair), known[pair]
        chosen = Pair(asked.prompt, other)
        margin = nll(model, asked) - nll(reference, asked)
        margin -= nll(model, chosen) - nll(reference, chosen)
        terms.append(-(2 / b) * math.log(1 / (1 + math.exp(-b * margin))))
    expected = sum(terms) / len(terms) + 2 * mean_nll(model, batch.retain.pairs)
    assert loss == pytest.approx(expected, rel=1e-3)


def test_altpo_starts_at_log_2_where_model_and_target_are_the_same():
    loss, _ = first_loss("altpo", tiny_model(), a_request(FORGET, RETAIN), retain_weight=0.0)
    assert loss == pytest.approx(20 * math.log(2), rel=1e-4)


def test_alternatives_are_answers_to_questions_that_are_worded_alike():
    asked = [Pair("Where was Ada born?", "Malport"), Pair("Who pays Ada?", "Kel Works")]
    known = [
        Pair("Where was Ivo born?", "Tor"),
        Pair("Where was Mia born?", " malport "),
        Pair("Who pays Ivo?", "Bren Union"),
    ]
    found = other_answers_of(asked, known, 1, 0)
    assert found == {asked[0]: ["Tor"], asked[1]: ["Bren Union"]}
    more = other_answers_of(asked, known, 9, 0)[asked[0]]
    assert set(more) == {"Tor", "Kel Works", "Bren Union"}, "never the truth, in whatever case"
    with pytest.raises(BadInput, match="no pair has an answer other"):
        other_answers_of(asked[:1], known[1:2], 1, 0)


def test_what_holds_the_truth_is_no_alternative():
    assert holds("It is MALPORT.", "Malport")
    assert holds("  ", "Malport")
    assert not holds("Tor", "Malport")


@pytest.mark.parametrize("forget", [FORGET, TEXTS], ids=["questions", "texts"])
def test_the_target_is_asked_before_the_training_and_its_true_answers_are_dropped(forget):
    request, asked = a_request(forget, RETAIN), []
    truth = as_question(forget[0]).answer

    def sample(model, prompts, n):
        asked.extend(prompts)
        assert request.meter.steps == 0
        only_true = (truth,) * n
        return {p: only_true if i == 0 else ("", truth, "Nobody") for i, p in enumerate(prompts)}

    request.sample = sample
    method = create(method_named("altpo"), {"source": "model", "samples": 3})
    method.unlearn(tiny_model(), request)
    swapped = other_answers_of(forget, RETAIN, 3, 0)
    assert method.others[forget[0]] == swapped[forget[0]], "nothing was left but the truth"
    assert method.others[forget[2]] == [truth, "Nobody"], "another's truth is an alternative"
    assert all(("wrong answer" in p.text) == bool(forget[0].prompt) for p in asked)
    assert all(p.text.endswith(as_question(f).prompt) for p, f in zip(asked, forget, strict=True))


def test_altpo_learns_other_answers_in_the_place_of_the_true_ones():
    model = knowing([*FORGET, *RETAIN])
    method = create(method_named("altpo"), {"learning_rate": 3e-3})
    method.unlearn(model, a_request(FORGET, RETAIN, steps=40))
    others = [Pair(p.prompt, method.others[p][0]) for p in FORGET]
    before = knowing([*FORGET, *RETAIN])
    assert mean_nll(model, FORGET) > mean_nll(before, FORGET) + 1
    assert mean_nll(model, others) < mean_nll(before, others) - 1
    assert mean_nll(model, RETAIN) < 0.5


def test_altpo_refuses_what_it_does_not_know():
    with pytest.raises(BadInput, match="source"):
        create(method_named("altpo"), {"source": "web"})
