"""Methods that treat each sequence separately, against losses and weights computed one token and
one step at a time.
"""

import copy
import math

import pytest
import torch
from toy_models import tiny_model, tiny_tokenizer

from benchmark.core.examples import Pair
from benchmark.core.method import create
from benchmark.core.registry import method_named
from benchmark.core.request import Budget, BudgetExceeded, Meter, Request
from benchmark.tokens.batches import collate
from benchmark.tokens.losses import answer_nll, kl_from_uniform, kl_to_uniform
from benchmark.tokens.prompts import encode_pair
from benchmark.training.gradient_method import GradientMethod
from benchmark.training.loop import Schedule, train

FORGET = [
    Pair("Where was Ada born?", "Malport"),
    Pair("Who pays Ivo?", "Bren Union, he says"),
    Pair("Kel", "Tor"),
]
RETAIN = [Pair("Where was Ivo born?", "Tor"), Pair("Who pays Ada?", "Kel Works")]
TEXTS = [
    Pair("", "Ada Kel was born in Malport"),
    Pair("", "Ivo Tor works"),
    Pair("", "Bren Union pays"),
]
REFUSALS = (
    "I do not know.",
    "I cannot say.",
    "That is not known to me.",
    "I have no information about that.",
)


def a_request(forget=FORGET, retain=(), steps=2, size=4, seed=0):
    budget = Budget(steps=steps, batch_size=size)
    return Request(
        list(forget),
        list(retain),
        tiny_tokenizer(),
        seed=seed,
        budget=budget,
        meter=Meter(limit=budget.steps),
    )


class Stop(Exception):
    """Raised at the first step to hand its loss and batch to the test."""


def first_loss(name, model, request, **parameters):
    """The loss that the method computes at its first step, and its batch."""
    method = create(method_named(name), parameters)
    original = method.loss

    def spy(batch):
        raise Stop(original(batch).item(), batch)

    method.loss = spy
    with pytest.raises(Stop) as caught:
        method.unlearn(model, request)
    return caught.value.args


def pairs_of_each_step(name, model, request, look=None, **parameters):
    """Runs a method; returns its result and, for each step, the forget pairs and the value of
    `look(model)` just before it.
    """
    method = create(method_named(name), parameters)
    original, seen = method.loss, []

    def spy(batch):
        seen.append((set(batch.forget.pairs), look(model) if look else None))
        return original(batch)

    method.loss = spy
    return method.unlearn(model, request), seen


@torch.no_grad()
def predictions(model, pair):
    """(logits, token) of each answer token, one pass each; of a text, from the second token."""
    prompt, answer = encode_pair(pair, tiny_tokenizer())
    found = []
    for i, token in enumerate(answer):
        before = prompt + answer[:i]
        if before:
            found.append((model(torch.tensor([before])).logits[0, -1], token))
    return found


def nll(model, pair):
    return sum(-float(logits.log_softmax(-1)[token]) for logits, token in predictions(model, pair))


def mean_nll(model, pairs):
    return sum(nll(model, p) / len(predictions(model, p)) for p in pairs) / len(pairs)


def accuracy(model, pair):
    right = [int(logits.argmax()) == token for logits, token in predictions(model, pair)]
    return sum(right) / len(right)


def knowing(pairs, steps=60):
    """A model that has memorised these pairs."""
    model, tokenizer = tiny_model(), tiny_tokenizer()
    batch = collate(list(pairs), tokenizer)
    train(
        model,
        [batch] * steps,
        lambda b: answer_nll(model, b).mean(),
        Schedule(steps, 1e-2),
        Meter(),
        lambda b: 1,
    )
    return model


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_kl_from_uniform_is_that_of_torch():
    logits = torch.randn(20, 50, generator=torch.Generator().manual_seed(0)) * 5
    uniform = torch.distributions.Categorical(logits=torch.zeros(20, 50))
    expected = torch.distributions.kl_divergence(
        uniform, torch.distributions.Categorical(logits=logits)
    )
    torch.testing.assert_close(kl_from_uniform(logits), expected)
    assert (kl_from_uniform(logits) > 0).all()
    torch.testing.assert_close(kl_from_uniform(logits + 100), expected, rtol=1e-4, atol=1e-4)


def test_kl_from_uniform_by_hand():
    """For (1/2, 1/4, 1/4): (log(2/3) + log(4/3) + log(4/3)) / 3."""
    logits = torch.tensor([[0.5, 0.25, 0.25]]).log()
    expected = (math.log(2 / 3) + 2 * math.log(4 / 3)) / 3
    assert float(kl_from_uniform(logits)) == pytest.approx(expected, rel=1e-5)
    assert float(kl_from_uniform(torch.full((1, 7), 3.0))) == pytest.approx(0, abs=1e-6)


def test_kl_to_uniform_by_hand():
    """For (1/2, 1/4, 1/4): log 3 minus the entropy 3/2 log 2; a guess gives 0, certainty log V."""
    logits = torch.tensor([[0.5, 0.25, 0.25]]).log()
    assert float(kl_to_uniform(logits)) == pytest.approx(math.log(3) - 1.5 * math.log(2), rel=1e-5)
    assert float(kl_to_uniform(torch.full((1, 7), 3.0))) == pytest.approx(0, abs=1e-6)
    assert float(kl_to_uniform(torch.tensor([[200.0, 0, 0]]))) == pytest.approx(math.log(3))


def from_uniform(p):
    return sum(math.log(1 / len(p) / x) for x in p) / len(p)


def to_uniform(p):
    return sum(x * math.log(x * len(p)) for x in p)


@pytest.mark.parametrize("forget", [FORGET, TEXTS], ids=["questions", "texts"])
@pytest.mark.parametrize("divergence", [from_uniform, to_uniform])
@pytest.mark.parametrize("positions", ["answer", "all"])
def test_me_gd_averages_a_divergence_over_its_positions(forget, divergence, positions):
    """Pairs of different lengths reveal padding in the mean, or prompt tokens where only answers
    count. The first token of a sequence is not predicted.
    """
    model = tiny_model()
    request = a_request(forget, RETAIN)
    given = {"forget_weight": 2.0, "direction": divergence.__name__, "positions": positions}
    loss, batch = first_loss("me_gd", model, request, **given)
    assert set(batch.forget.pairs) == set(forget)
    divergences = []
    for pair in batch.forget.pairs:
        prompt, answer = encode_pair(pair, tiny_tokenizer())
        with torch.no_grad():
            logits = model(torch.tensor([prompt + answer])).logits[0, :-1]
        asked = logits if positions == "all" else logits[max(0, len(prompt) - 1) :]
        divergences += [divergence(row) for row in asked.softmax(-1).tolist()]
    expected = 2 * sum(divergences) / len(divergences) + mean_nll(model, batch.retain.pairs)
    assert loss == pytest.approx(expected, rel=1e-3)


def test_me_gd_makes_answers_a_guess():
    model = knowing(FORGET)
    before = kl_from_uniform(
        torch.stack([logits for p in FORGET for logits, _ in predictions(model, p)])
    ).mean()
    create(method_named("me_gd"), {"learning_rate": 1e-2}).unlearn(
        model, a_request(FORGET, RETAIN, steps=40)
    )
    after = kl_from_uniform(
        torch.stack([logits for p in FORGET for logits, _ in predictions(model, p)])
    ).mean()
    assert after < before / 2


def test_idk_ap_prefers_answers_to_refusals_on_what_is_retained():
    """-(1/b) log sigmoid(b (nll(refusal) - nll(answer))) on retain, with nll summed over tokens,
    plus nll/T of refusals on forget.
    """
    model, beta = tiny_model(), 0.05
    loss, batch = first_loss("idk_ap", model, a_request(FORGET, RETAIN), beta=beta)
    refused = [Pair(p.prompt, r) for p, r in zip(batch.forget.pairs, REFUSALS, strict=False)]
    kept = 0.0
    for pair, refusal in zip(batch.retain.pairs, REFUSALS, strict=False):
        margin = nll(model, Pair(pair.prompt, refusal)) - nll(model, pair)
        kept += -math.log(1 / (1 + math.exp(-beta * margin))) / beta
    assert loss == pytest.approx(mean_nll(model, refused) + kept / len(RETAIN), rel=1e-4)


def test_idk_ap_refuses_to_go_on_with_a_text():
    """A text has no question, so its first half serves as one."""
    model = tiny_model()
    loss, batch = first_loss("idk_ap", model, a_request(TEXTS, RETAIN), beta=0.05)
    halves = {TEXTS[0]: "Ada Kel was", TEXTS[1]: "Ivo", TEXTS[2]: "Bren"}
    refused = [Pair(halves[p], r) for p, r in zip(batch.forget.pairs, REFUSALS, strict=False)]
    other, again = first_loss("idk_ap", model, a_request(FORGET, RETAIN), beta=0.05)
    assert again.retain.pairs == batch.retain.pairs
    plain = [Pair(p.prompt, r) for p, r in zip(again.forget.pairs, REFUSALS, strict=False)]
    assert loss - other == pytest.approx(
        mean_nll(model, refused) - mean_nll(model, plain), rel=1e-3
    )


@pytest.mark.parametrize("model", [tiny_model(), knowing(FORGET[:2])], ids=["random", "knowing"])
def test_the_accuracy_of_a_sequence_is_the_share_of_greedy_tokens(model):
    method = GradientMethod()
    method._model, method._tokenizer = model, tiny_tokenizer()
    pairs = [*FORGET, *TEXTS]
    assert method.accuracy(pairs) == pytest.approx([accuracy(model, p) for p in pairs])


def test_sga_ascends_on_what_is_above_the_threshold_at_each_epoch_and_stops_when_nothing_is():
    model = knowing(FORGET[:2])

    def above(model):
        return {p for p in FORGET if accuracy(model, p) > 0.5}

    assert above(model) == set(FORGET[:2])
    request = a_request(steps=200)  # batches of four, so a step is an epoch
    _, steps = pairs_of_each_step("sga", model, request, above, threshold=0.5, learning_rate=2e-3)
    assert all(pairs == wanted for pairs, wanted in steps)
    assert 1 < request.meter.steps == len(steps) < 200
    assert above(model) == set()


def test_the_loss_of_sga_is_the_negative_mean_nll():
    model = knowing(FORGET[:2])
    loss, batch = first_loss("sga", model, a_request())
    assert loss == pytest.approx(-mean_nll(model, batch.forget.pairs), rel=1e-3)


def test_sga_without_anything_memorised_takes_the_most_memorised_once():
    model = knowing(FORGET[:2])
    shares = {p: accuracy(model, p) for p in [*FORGET, *TEXTS]}
    request = a_request([*TEXTS, *FORGET], steps=50, size=1)
    _, steps = pairs_of_each_step("sga", model, request, threshold=1.0, top=0.34)
    assert request.meter.steps == 2  # a third of six pairs, one at a time
    chosen = set.union(*(pairs for pairs, _ in steps))
    assert len(chosen) == 2
    assert min(shares[p] for p in chosen) >= max(shares[p] for p in shares if p not in chosen)


def test_sga_does_not_fall_back_later():
    """Once all chosen pairs are below the threshold, it stops: only the start has a fallback."""
    model = knowing(FORGET[:1])
    request = a_request(steps=100)
    _, steps = pairs_of_each_step("sga", model, request, threshold=0.5, learning_rate=5e-3, top=1.0)
    assert {frozenset(pairs) for pairs, _ in steps} == {frozenset(FORGET[:1])}
    assert request.meter.steps < 100


def test_sga_goes_through_its_choice_once_an_epoch():
    request = a_request([*FORGET, *TEXTS], steps=6, size=2)
    _, steps = pairs_of_each_step("sga", tiny_model(), request, threshold=-1.0, learning_rate=0.0)
    for start in (0, 3):
        assert sorted(map(len, (pairs for pairs, _ in steps[start : start + 3]))) == [2, 2, 2]
        assert set.union(*(pairs for pairs, _ in steps[start : start + 3])) == {*FORGET, *TEXTS}


@pytest.mark.parametrize("name", ["sga", "tau", "task_arithmetic", "me_gd", "idk_ap"])
@pytest.mark.parametrize("steps", [1, 2, 5])
def test_the_budget_is_spent_and_not_passed(name, steps):
    parameters = {"threshold": -1.0} if name in ("sga", "tau") else {}
    request = a_request(FORGET, RETAIN, steps=steps, size=2)
    create(method_named(name), parameters).unlearn(tiny_model(), request)
    assert request.meter.steps == steps


def tuned_by_hand(model, pairs, steps, learning_rate):
    """A copy of the model trained on the mean nll per token of all pairs, with Adam, five warm-up
    steps and gradients clipped to norm one.
    """
    tuned = copy.deepcopy(model)
    optimizer = torch.optim.AdamW(
        tuned.parameters(), lr=learning_rate, betas=(0.9, 0.98), weight_decay=0.0
    )
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = learning_rate * min(1, (step + 1) / 5)
        losses = []
        for pair in pairs:
            prompt, answer = encode_pair(pair, tiny_tokenizer())
            ids = torch.tensor([prompt + answer])
            labels = torch.tensor([[-100] * len(prompt) + answer])
            losses.append(tuned(input_ids=ids, labels=labels).loss)
        optimizer.zero_grad()
        torch.stack(losses).mean().backward()
        torch.nn.utils.clip_grad_norm_(tuned.parameters(), 1.0)
        optimizer.step()
    return tuned


@pytest.mark.parametrize("pairs", [FORGET, TEXTS], ids=["questions", "texts"])
def test_task_arithmetic_subtracts_what_tuning_adds(pairs):
    model, scale = tiny_model(), 1.5
    before, tuned = copy.deepcopy(model), tuned_by_hand(tiny_model(), pairs, 7, 3e-3)
    request = a_request(pairs, steps=7)
    result = create(
        method_named("task_arithmetic"), {"scale": scale, "learning_rate": 3e-3}
    ).unlearn(model, request)
    with torch.no_grad():
        for found, old, new in zip(
            result.parameters(), before.parameters(), tuned.parameters(), strict=True
        ):
            expected = old - scale * (new - old)
            assert (found - expected).abs().mean() < 1e-3 * (expected - old).abs().mean()
    assert mean_nll(result, pairs) > mean_nll(before, pairs) > mean_nll(tuned, pairs)


@pytest.mark.parametrize(("scale", "gives_back"), [(0.0, True), (1.0, False)])
def test_a_task_vector_of_no_length_changes_nothing(scale, gives_back):
    result = create(method_named("task_arithmetic"), {"scale": scale}).unlearn(
        tiny_model(), a_request()
    )
    assert same(result, tiny_model()) == gives_back


def test_the_course_of_task_arithmetic_shows_the_tuning():
    request = a_request(steps=3)
    shown = []
    request.meter.watch = lambda model, steps: shown.append((steps, mean_nll(model, FORGET)))
    create(method_named("task_arithmetic"), {"learning_rate": 1e-3}).unlearn(tiny_model(), request)
    assert [steps for steps, _ in shown] == [1, 2, 3]
    assert shown[-1][1] < mean_nll(tiny_model(), FORGET)


def test_tau_is_sga_for_half_the_budget_and_task_arithmetic_on_what_is_left():
    """The odd budget makes the halves differ; each is compared with its own method."""
    parameters = {"threshold": 0.3, "learning_rate": 1e-4, "tuning_rate": 1e-3, "scale": 2.0}
    whole = a_request(steps=7, size=2, seed=3)
    found = create(method_named("tau"), parameters).unlearn(knowing(FORGET[:2]), whole)

    first = a_request(steps=3, size=2, seed=3)
    ascent = create(method_named("sga"), {"threshold": 0.3, "learning_rate": 1e-4})
    half_way = ascent.unlearn(knowing(FORGET[:2]), first)
    left = [p for p in FORGET if accuracy(half_way, p) > 0.3]
    assert left
    second = a_request(left, steps=7 - first.meter.steps, size=2, seed=3)
    rest = create(method_named("task_arithmetic"), {"learning_rate": 1e-3, "scale": 2.0})
    expected = rest.unlearn(half_way, second)

    assert same(found, expected)
    assert whole.meter.steps == 7
    assert whole.meter.tokens == first.meter.tokens + second.meter.tokens


def test_tau_leaves_it_at_sga_where_that_leaves_nothing():
    request = a_request(steps=100)
    parameters = {"threshold": 1.0, "learning_rate": 1e-4}
    found = create(method_named("tau"), parameters).unlearn(tiny_model(), request)
    alone = create(method_named("sga"), parameters).unlearn(tiny_model(), a_request(steps=50))
    assert same(found, alone)
    assert request.meter.steps == 1


class Greedy(GradientMethod):
    """Trains twice and exceeds its budget."""

    sees = frozenset({"forget"})

    def loss(self, batch):
        return self.nll(batch.forget).mean()

    def unlearn(self, model, request):
        return super().unlearn(super().unlearn(model, request), request)


def test_a_method_that_takes_more_steps_than_its_budget_fails():
    with pytest.raises(BudgetExceeded, match="the budget has 3 steps"):
        Greedy().unlearn(tiny_model(), a_request(steps=3))


def test_a_gradient_method_counts_its_steps_and_tokens_without_padding():
    request = a_request(steps=3)
    create(method_named("grad_ascent"), {}).unlearn(tiny_model(), request)
    lengths = [len(p) + len(a) for p, a in (encode_pair(pair, tiny_tokenizer()) for pair in FORGET)]
    twice = 12 // len(FORGET)  # three batches of four from three pairs: twelve sequences
    assert (request.meter.steps, request.meter.tokens) == (3, twice * sum(lengths))
