"""Methods defined by a loss: each against its formula, computed one token at a time with plain
torch, and against the effect of its steps.
"""

import copy
import math

import pytest
import torch
from toy_models import tiny_model, tiny_tokenizer

from benchmark.core.examples import Pair
from benchmark.core.method import create
from benchmark.core.registry import method_named
from benchmark.core.request import Budget, Meter, Request
from benchmark.tokens.batches import collate
from benchmark.tokens.losses import answer_nll
from benchmark.tokens.prompts import encode_pair
from benchmark.training.loop import Schedule, train
from methods._shared.divergences import jensen_shannon, kl

FORGET = [
    Pair("Where was Ada born?", "Malport"),
    Pair("Who pays Ivo?", "Bren Union, he says"),
]
RETAIN = [Pair("Where was Ivo born?", "Tor"), Pair("Who pays Ada?", "Kel Works")]
REFUSALS = ("I do not know.", "I cannot say.")
LOSSES = (
    *("ga_kl", "npo_kl", "simnpo", "dpo", "wga", "satimp", "ceu", "undial", "jensun", "flat"),
    *("masc", "gru", "npo_sam", "pdu"),
)


def knowing(seed=0, steps=60):
    """A model that has memorised all pairs."""
    model = tiny_model(seed)
    batch = collate([*FORGET, *RETAIN], tiny_tokenizer())
    loss = lambda b: answer_nll(model, b).mean()  # noqa: E731
    train(model, [batch] * steps, loss, Schedule(steps, 1e-2), Meter(), lambda b: 1)
    return model


@pytest.fixture(scope="module")
def target():
    return knowing()


@pytest.fixture(scope="module")
def moved(target):
    """The target with noise added to its weights, as a model during unlearning."""
    model, generator = copy.deepcopy(target), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.05 * torch.randn(weight.shape, generator=generator))
    return model


def a_request(steps=1, seed=0):
    budget = Budget(steps=steps, batch_size=2)
    given = {"forget": list(FORGET), "retain": list(RETAIN), "tokenizer": tiny_tokenizer()}
    return Request(**given, seed=seed, budget=budget, meter=Meter(limit=steps))


class Stop(Exception):
    """Raised at the first step to hand its loss and batch to the test."""


def first_loss(name, model, target, **parameters):
    """The loss at the first step of a model that differs from the target, and its batch."""
    method = create(method_named(name), parameters)
    original = method.loss

    def spy(batch):
        if method._reference is not None:
            method._reference = target
        found = original(batch)
        total = sum(found) if isinstance(found, tuple) else found
        raise Stop(float(total.detach()), batch)

    method.loss = spy
    with pytest.raises(Stop) as caught:
        method.unlearn(copy.deepcopy(model), a_request())
    return caught.value.args


@torch.no_grad()
def tokens(model, pair):
    """(logits, token) of each answer token, with one pass per token."""
    prompt, answer = encode_pair(pair, tiny_tokenizer())
    return [
        (model(torch.tensor([prompt + answer[:i]])).logits[0, -1], token)
        for i, token in enumerate(answer)
    ]


def nlls(model, pair):
    return [-float(logits.log_softmax(-1)[token]) for logits, token in tokens(model, pair)]


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def retained(model, batch):
    return mean(mean(nlls(model, pair)) for pair in batch.retain.pairs)


def refusals(pairs):
    return [Pair(pair.prompt, text) for pair, text in zip(pairs, REFUSALS, strict=True)]


def kl_of_token(one, other):
    p = one.softmax(-1)
    return float((p * (p.log() - other.softmax(-1).log())).sum())


def kept(model, target, batch):
    return mean(
        kl_of_token(old, new)
        for pair in batch.retain.pairs
        for (old, _), (new, _) in zip(tokens(target, pair), tokens(model, pair), strict=True)
    )


def softplus(x):
    return math.log1p(math.exp(x))


def by_token(model, pairs):
    """(probability, nll) of all answer tokens."""
    return [(math.exp(-nll), nll) for pair in pairs for nll in nlls(model, pair)]


def expected_ga_kl(model, target, batch):
    return -mean(mean(nlls(model, p)) for p in batch.forget.pairs) + kept(model, target, batch)


def expected_npo_kl(model, target, batch):
    margins = [sum(nlls(model, p)) - sum(nlls(target, p)) for p in batch.forget.pairs]
    return 20 * mean(softplus(-0.1 * m) for m in margins) + kept(model, target, batch)


def expected_simnpo(model, target, batch):
    margins = [mean(nlls(model, p)) - 0.5 for p in batch.forget.pairs]
    forget = 2 / 4.5 * mean(softplus(-4.5 * m) for m in margins)
    return 0.125 * forget + retained(model, batch)


def expected_dpo(model, target, batch):
    terms = []
    for pair, refusal in zip(batch.forget.pairs, refusals(batch.forget.pairs), strict=True):
        gains = [sum(nlls(target, p)) - sum(nlls(model, p)) for p in (refusal, pair)]
        terms.append(20 * softplus(-0.1 * (gains[0] - gains[1])))
    return mean(terms) + retained(model, batch)


def expected_wga(model, target, batch):
    return -mean(p**2 * nll for p, nll in by_token(model, batch.forget.pairs)) + retained(
        model, batch
    )


def expected_satimp(model, target, batch):
    terms = [p**5 * (1 - p) * nll for p, nll in by_token(model, batch.forget.pairs)]
    return -mean(terms) + retained(model, batch)


def expected_ceu(model, target, batch):
    terms = []
    for logits, token in (t for pair in batch.forget.pairs for t in tokens(model, pair)):
        others = logits.clone()
        others[token] = -math.inf
        terms.append(-float((others.softmax(-1) * logits.log_softmax(-1)).sum()))
    return mean(terms)


def expected_undial(model, target, batch):
    terms = []
    for pair in batch.forget.pairs:
        for (new, token), (old, _) in zip(tokens(model, pair), tokens(target, pair), strict=True):
            taught = old.clone()
            taught[token] -= 10
            terms.append(-float((taught.softmax(-1) * new.log_softmax(-1)).sum()))
    return mean(terms) + retained(model, batch)


def js_of_token(p, q):
    m = (p + q) / 2
    halves = [float((r * (r / m).clamp(min=1e-30).log()).sum()) for r in (p, q)]
    return sum(halves) / 2


def expected_jensun(model, target, batch):
    refusal = tiny_tokenizer()(" No Idea", add_special_tokens=False)["input_ids"]
    forget, retain = [], []
    for pair in batch.forget.pairs:
        for i, (logits, _) in enumerate(tokens(model, pair)):
            wanted = torch.zeros_like(logits)
            wanted[refusal[i % len(refusal)]] = 1
            forget.append(js_of_token(logits.softmax(-1), wanted))
    for pair in batch.retain.pairs:
        for (new, _), (old, _) in zip(tokens(model, pair), tokens(target, pair), strict=True):
            retain.append(js_of_token(new.softmax(-1), old.softmax(-1)))
    return mean(forget) + mean(retain)


def expected_flat(model, target, batch):
    pairs = batch.forget.pairs
    answers = [mean(p for p, _ in by_token(model, [pair])) for pair in pairs]
    refused = [mean(p for p, _ in by_token(model, [pair])) for pair in refusals(pairs)]
    return mean(-r + a * a / 4 + a for a, r in zip(answers, refused, strict=True))


def margins(model, pairs):
    found = []
    for logits, token in (t for pair in pairs for t in tokens(model, pair)):
        others = torch.cat([logits[:token], logits[token + 1 :]]).sort(descending=True).values[:10]
        found.append(float(logits[token]) - math.log(sum(map(math.exp, others.tolist()))))
    return found


def expected_masc(model, target, batch):
    tau = math.log(0.7 / 0.3)
    return mean(max(0, m - (tau - 0.25)) / 0.25 for m in margins(model, batch.forget.pairs))


def expected_gru(model, target, batch):
    return retained(model, batch) - mean(mean(nlls(model, p)) for p in batch.forget.pairs)


def expected_pdu(model, target, batch):
    gaps = [
        float(logits.max() - logits.mean())
        for pair in batch.forget.pairs
        for logits, _ in tokens(model, pair)
    ]
    return 0.01 * mean(gap**2 for gap in gaps) + retained(model, batch)


GIVEN = {"simnpo": {"delta": 0.5}, "wga": {"beta": 2.0}, "masc": {"stop_share": None}}


@pytest.mark.parametrize("name", [name for name in LOSSES if name != "npo_sam"])
def test_the_loss_is_that_of_the_formula(name, moved, target):
    loss, batch = first_loss(name, moved, target, **GIVEN.get(name, {}))
    expected = globals()[f"expected_{name}"](moved, target, batch)
    assert loss == pytest.approx(expected, rel=2e-4, abs=1e-6)
    assert abs(loss) > 1e-4, "a loss of nothing proves nothing"


@pytest.mark.parametrize("name", LOSSES)
def test_steps_lower_what_is_forgotten_and_cost_less_of_what_is_kept(name, target):
    """At a learning rate that suits the toy model, from a target that has memorised all pairs."""
    rates = {"masc": 3e-3, "ceu": 1e-3}
    method = create(method_named(name), {"learning_rate": rates.get(name, 2e-3)})
    after = method.unlearn(copy.deepcopy(target), a_request(steps=15))
    forgotten, remaining = (
        mean(mean(nlls(after, p)) - mean(nlls(target, p)) for p in pairs)
        for pairs in (FORGET, RETAIN)
    )
    assert forgotten > 0.05
    if "retain" in method.sees:
        assert remaining < forgotten / 2


def gradients(loss, model):
    return torch.autograd.grad(loss, list(model.parameters()), materialize_grads=True)


def test_gru_removes_what_is_against_the_retain_gradient():
    method = create(method_named("gru"), {"smoothing": 1.0})
    method.before(None)
    (against,) = method.combine([torch.tensor([1.0, -2.0])], [torch.tensor([0.0, 1.0])])
    assert against.tolist() == [1, 1], "its part along the retain gradient is gone, that is added"
    (along,) = method.combine([torch.tensor([1.0, 2.0])], [torch.tensor([0.0, 1.0])])
    assert along.tolist() == [1, 3], "what does not hurt stays"
    slow = create(method_named("gru"), {"smoothing": 0.5})
    slow.before(None)
    slow.combine([torch.tensor([0.0, 0.0])], [torch.tensor([2.0, 0.0])])
    (averaged,) = slow.combine([torch.tensor([-1.0, -1.0])], [torch.tensor([0.0, 2.0])])
    assert averaged.tolist() == [0, 2], "m = (1, 1): -1 - 1 are wholly against it"


def test_npo_sam_takes_the_forget_gradient_at_the_worst_weights_nearby(target):
    """By hand: the forget gradient after a step of rho along the gradient at theta, and the retain
    gradient at theta. They are added before clipping, and the weights are restored.
    """
    rho, model = 0.05, copy.deepcopy(target)
    caught = {}
    method = create(method_named("npo_sam"), {"rho": rho})
    original = method.combine

    def spy(forget_grads, retain_grads):
        combined = original(forget_grads, retain_grads)
        caught["found"] = [g.clone() for g in combined]  # clipping changes them in place
        caught["weights"] = [p.detach().clone() for p in model.parameters()]
        return combined

    method.combine = spy
    method.unlearn(model, a_request())
    by_hand = copy.deepcopy(target)
    forget, retain = (collate(pairs, tiny_tokenizer()) for pairs in (FORGET, RETAIN))

    def npo(model):
        margin = answer_nll(model, forget) - answer_nll(target, forget).detach()
        return -20 * torch.nn.functional.logsigmoid(0.1 * margin).mean()

    retain_grads = gradients(answer_nll(by_hand, retain, per_token=True).mean(), by_hand)
    first = gradients(npo(by_hand), by_hand)
    norm = math.sqrt(sum(float((g * g).sum()) for g in first))
    with torch.no_grad():
        for weight, g in zip(by_hand.parameters(), first, strict=True):
            weight.add_(rho * g / norm)
    expected = [f + r for f, r in zip(gradients(npo(by_hand), by_hand), retain_grads, strict=True)]
    for one, other in zip(caught["found"], expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)
    for one, other in zip(caught["weights"], target.parameters(), strict=True):
        torch.testing.assert_close(one, other.detach(), rtol=0, atol=1e-6)


def test_masc_stops_when_few_margins_are_left(target):
    request = a_request(steps=200)
    after = create(method_named("masc"), {"learning_rate": 3e-3}).unlearn(
        copy.deepcopy(target), request
    )
    assert 1 < request.meter.steps < 200
    tau = math.log(0.7 / 0.3)
    assert mean(m > tau for m in margins(after, FORGET)) <= 0.6
    nothing = a_request(steps=5)
    create(method_named("masc"), {}).unlearn(tiny_model(), nothing)
    assert nothing.meter.steps == 0, "what is not known is left as it is"


def test_the_price_of_the_constraint_rises_and_falls(target):
    method = create(method_named("pdu"), {"epsilon": 1.0, "dual_step": 2.0})
    prices, original = [], method.loss

    def spy(batch):
        found = original(batch)
        prices.append(method.price)
        return found

    method.loss = spy
    method.unlearn(copy.deepcopy(target), a_request(steps=3))
    first = max(0.0, 1 + 2 * (mean(mean(nlls(target, p)) for p in RETAIN) - 1.0))
    assert prices[0] == pytest.approx(first, abs=1e-4)
    assert min(prices) >= 0


def test_weights_of_tokens_carry_no_gradient(target):
    """The gradient of wga is -p^beta times that of nll, not the gradient of the product."""
    model, beta = copy.deepcopy(target), 1.0
    method = create(method_named("wga"), {"beta": beta, "retain_weight": 0.0})
    grads = {}
    original = method.loss

    def spy(batch):
        loss = original(batch)
        parameters = list(model.parameters())
        grads["found"] = torch.autograd.grad(loss, parameters, retain_graph=True)
        return loss

    method.loss = spy
    method.unlearn(model, a_request())
    by_hand = copy.deepcopy(target)
    total, count = 0, 0
    for pair in FORGET:
        prompt, answer = encode_pair(pair, tiny_tokenizer())
        for i, token in enumerate(answer):
            log_p = by_hand(torch.tensor([prompt + answer[:i]])).logits[0, -1].log_softmax(-1)
            total = total + float(log_p[token].exp()) * log_p[token]
            count += 1
    for one, other in zip(grads["found"], gradients(total / count, by_hand), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


def test_divergences_by_hand():
    p, q = torch.tensor([[0.5, 0.5]]), torch.tensor([[0.25, 0.75]])
    expected = 0.5 * math.log(2) + 0.5 * math.log(2 / 3)
    assert float(kl(p.log(), q.log())) == pytest.approx(expected, rel=1e-5)
    assert float(kl(p.log() + 3, q.log() - 1)) == pytest.approx(expected, rel=1e-5)
    certain = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).log()
    assert float(jensen_shannon(certain[:1], certain[1:])) == pytest.approx(math.log(2), rel=1e-5)
    assert float(jensen_shannon(certain[:1], certain[:1])) == pytest.approx(0, abs=1e-6)
    other = 0.5 * (0.5 * math.log(0.5 / 0.375) + 0.5 * math.log(0.5 / 0.625))
    other += 0.5 * (0.25 * math.log(0.25 / 0.375) + 0.75 * math.log(0.75 / 0.625))
    assert float(jensen_shannon(p.log(), q.log())) == pytest.approx(other, rel=1e-4)
