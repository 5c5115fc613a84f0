"""Attacks on hidden states: they read the model's activations and leave its weights unchanged."""

import copy
import math

import pytest
import torch
from toy_models import plain_tokenizer, tiny_model, tiny_tokenizer
from transformers import GPT2Config, GPT2LMHeadModel, MambaConfig, MambaForCausalLM

from benchmark.attacks.blocks import blocks_of, layer_at, up_to
from benchmark.attacks.patching import Patched, states_at
from benchmark.attacks.read_out import linear_read_out
from benchmark.attacks.relearn import halves
from benchmark.attacks.soft_prompt import ExtendedEmbedding, behind
from benchmark.core.attack import AttackRequest
from benchmark.core.examples import Example, Pair
from benchmark.core.registry import attack_of
from benchmark.core.request import Budget
from benchmark.errors import BadInput
from benchmark.evaluation.outputs import scored_alone
from benchmark.inference.predictors import ModelPredictor
from benchmark.inference.unlearned import as_unlearned
from benchmark.tokens.prompts import encode_pair

FORGET = [
    Example(f"{p}.{i}", p, f"Question {i} about {p}?", f"Answer {i}")
    for p in "abcd"
    for i in range(3)
]
RETAIN = [Pair(f"Who is {p}?", f"Someone {p}") for p in "efgh"]
PAIRS = [*(example.pair for example in FORGET), Pair("", "A text that is told.")]
LENS = {"name": "logit_lens", "points": [0.5]}
PROBE = {"name": "probe", "examples": 4, "points": [0.5, 1.0]}
PATCHING = {"name": "patching", "share": 0.5, "points": [1.0]}
SOFT = {"name": "soft_prompt", "tokens": 4, "steps": 30, "learning_rate": 0.1, "points": [10]}
INSIDE = [LENS, PROBE, PATCHING, SOFT]


def gpt2(seed=0):
    """A model with three layers, learned positions, transposed weights and dropout."""
    config = GPT2Config(
        vocab_size=len(tiny_tokenizer()),
        n_embd=16,
        n_layer=3,
        n_head=2,
        n_positions=256,
        bos_token_id=None,
        eos_token_id=1,
        pad_token_id=0,
        initializer_range=0.5,
    )
    torch.manual_seed(seed)
    return GPT2LMHeadModel(config).eval()


def a_request(target=tiny_model, tokenizer=None, **changes):
    return AttackRequest(
        forget=FORGET,
        retain=RETAIN,
        tokenizer=tokenizer or tiny_tokenizer(),
        budget=Budget(8, 4),
        seed=0,
        target=target,
        oracle=target,
        **changes,
    )


def scores(result, tokenizer=None):
    """Log-probabilities of the answer tokens of all pairs."""
    tokenizer = tokenizer or tiny_tokenizer()
    scored = as_unlearned(result).predictor(tokenizer, "hf").score(PAIRS)
    return [torch.tensor(scored[pair].logprobs) for pair in PAIRS]


def assert_alike(one, other):
    for first, second in zip(one, other, strict=True):
        torch.testing.assert_close(first, second, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("entry", INSIDE, ids=lambda entry: entry["name"])
@pytest.mark.parametrize("make", [tiny_model, gpt2], ids=["llama", "gpt2"])
def test_the_model_stays_and_the_same_attack_gives_the_same(entry, make):
    model, looked = make(), []
    before = copy.deepcopy(model.state_dict())
    wanted = {name: weight.requires_grad for name, weight in model.named_parameters()}

    def look(point, attacked):
        looked.append((point, math.fsum(float(s.sum()) for s in scores(attacked))))

    request = a_request(target=lambda: make(1), look=look)
    first, second = (scores(attack_of(entry).apply(model, request)) for _ in range(2))
    assert_alike(first, second)
    assert looked[: len(looked) // 2] == looked[len(looked) // 2 :]
    assert model.state_dict().keys() == before.keys()
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert wanted == {name: weight.requires_grad for name, weight in model.named_parameters()}
    assert not any(module._forward_hooks for module in model.modules()), "no hook is left"


def test_points_have_the_names_of_their_depths_and_steps():
    for entry, points in (
        (LENS, ["0.50"]),
        (PROBE, ["0.50", "1.00"]),
        (PATCHING, ["unpatched", "1.00"]),
        (SOFT, ["010"]),
    ):
        looked = []
        request = a_request(look=lambda point, model, looked=looked: looked.append(point))
        attack_of(entry).apply(tiny_model(), request)
        assert looked == points


@pytest.mark.parametrize(
    ("make", "norm"),
    [(tiny_model, lambda m: m.model.norm), (gpt2, lambda m: m.transformer.ln_f)],
    ids=["llama", "gpt2"],
)
def test_a_lens_is_norm_and_head_on_the_states_of_its_layer(make, norm):
    model, ids = make(), torch.tensor([[5, 9, 30, 7]])
    with torch.no_grad():
        states = model(ids, output_hidden_states=True).hidden_states
        for layer in range(1, len(blocks_of(model))):
            expected = model.lm_head(norm(model)(states[layer]))
            torch.testing.assert_close(up_to(layer, model)(ids).logits, expected)
        last = up_to(len(blocks_of(model)), model)
        assert torch.equal(last(ids).logits, model(ids).logits)


def test_a_lens_shares_its_weights_and_generates_with_and_without_a_cache():
    model = gpt2()
    lens = up_to(2, model)
    assert lens.transformer.h[0].mlp.c_fc.weight is model.transformer.h[0].mlp.c_fc.weight
    assert (len(blocks_of(lens)), len(blocks_of(model))) == (2, 3)
    assert model.config.num_hidden_layers == 3
    ids = torch.tensor([[5, 9, 30]])
    cached, plain = (
        lens.generate(ids, max_new_tokens=4, do_sample=False, use_cache=cache)
        for cache in (True, False)
    )
    assert torch.equal(cached, plain)


def test_the_lens_takes_one_layer_for_all_examples_the_likeliest():
    model = gpt2(1)

    def likelihood(result):
        return sum(float(s.mean()) for s in scores(result)[: len(FORGET)]) / len(FORGET)

    attacked = attack_of(LENS).apply(model, a_request())
    by_layer = {layer: likelihood(up_to(layer, model)) for layer in (1, 2, 3)}
    best = max(by_layer, key=by_layer.get)
    assert best != 3, "or this test would show nothing"
    assert len(blocks_of(attacked)) == best


def test_the_share_of_a_depth_is_the_nearest_layer():
    model = gpt2()
    assert [layer_at(depth, model) for depth in (0.01, 0.33, 0.67, 1.0)] == [1, 1, 2, 3]


def clouds(per_class, seed, apart=3.0):
    """(states, tokens): random states around one centre for each of the tokens 4, 7 and 20."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.eye(3, 6) * apart
    tokens = torch.tensor([4, 7, 20]).repeat_interleave(per_class)
    states = centres.repeat_interleave(per_class, 0)
    return states + torch.randn(states.shape, generator=generator), tokens


def test_a_probe_reads_what_is_linear_in_the_states():
    head = linear_read_out(*clouds(100, seed=0), vocabulary=30)
    states, tokens = clouds(100, seed=1)
    assert float((head(states).argmax(1) == tokens).float().mean()) > 0.9


def test_a_probe_of_random_labels_is_at_chance():
    states, tokens = clouds(400, seed=0)
    shuffled = tokens[torch.randperm(len(tokens), generator=torch.Generator().manual_seed(2))]
    head = linear_read_out(states, shuffled, vocabulary=30)
    unseen, right = clouds(400, seed=1)
    likelihood = head(unseen).log_softmax(1).gather(1, right[:, None])
    assert float((head(unseen).argmax(1) == right).float().mean()) == pytest.approx(1 / 3, abs=0.1)
    # The unseen tokens count as a fourth label.
    assert float(likelihood.mean()) == pytest.approx(-math.log(4), abs=0.1)


def test_tokens_that_a_probe_never_saw_share_the_probability_of_the_rarest():
    head = linear_read_out(*clouds(20, seed=0), vocabulary=30)
    p = head(torch.zeros(1, 6)).softmax(1)[0]
    seen = p[[4, 7, 20]]
    assert float(p.sum() - seen.sum()) == pytest.approx(float(seen.min()), rel=1e-4)


def test_a_probe_is_fitted_to_retain_pairs_and_never_to_what_is_scored():
    """The probe gives a low probability to answers that share no token with the retain answers."""
    model = tiny_model()
    attacked = attack_of(PROBE).apply(model, a_request())
    predictor = ModelPredictor(attacked, tiny_tokenizer())
    trained = predictor.score(RETAIN)
    before = ModelPredictor(model, tiny_tokenizer()).score(RETAIN)
    assert all(trained[pair].logprobs.mean() > before[pair].logprobs.mean() for pair in RETAIN)
    foreign = Pair("Question 0 about a?", "QXZ")
    assert predictor.score([foreign])[foreign].logprobs[:-1].max() < math.log(0.05)
    other = [Example(e.id, e.entity, e.prompt, "Something else") for e in FORGET]
    changed = attack_of(PROBE | {"points": [1.0]}).apply(model, a_request())
    request = AttackRequest(**{**vars(a_request()), "forget": other})
    same = attack_of(PROBE | {"points": [1.0]}).apply(model, request)
    assert torch.equal(changed.lm_head.weight, same.lm_head.weight)


@pytest.mark.parametrize("make", [tiny_model, gpt2], ids=["llama", "gpt2"])
@pytest.mark.parametrize("tokenizer", [tiny_tokenizer, plain_tokenizer], ids=["bare", "plain"])
def test_patching_a_model_into_itself_changes_nothing(make, tokenizer):
    model = make()
    for layer in range(1, len(blocks_of(model)) + 1):
        patched = Patched(make(), model, layer)
        assert_alike(scores(patched, tokenizer()), scores(model, tokenizer()))


def test_patching_replaces_the_states_where_answers_are_predicted_and_nowhere_else():
    """After the last layer, only the target's norm and head remain; after the first, the patched
    states are passed through the second block by hand.
    """
    source, target = tiny_model(), tiny_model(seed=1)
    tokenizer, pair = tiny_tokenizer(), FORGET[0].pair
    prompt, answer = encode_pair(pair, tokenizer)
    ids, first = torch.tensor([prompt + answer]), len(prompt) - 1
    with torch.no_grad():
        mixed = torch.cat(
            [states_at(1, target, ids)[:, :first], states_at(1, source, ids)[:, first:]], 1
        )
        places = torch.arange(ids.shape[1])[None]
        rotation = target.model.rotary_emb(mixed, places)
        causal = torch.full((ids.shape[1],) * 2, -torch.inf).triu(1)[None, None]
        left = target.model.layers[1](mixed, attention_mask=causal, position_embeddings=rotation)
        second = target.lm_head(target.model.norm(left))
        last = target.lm_head(target.model.norm(states_at(2, source, ids)))
    for layer, logits in ((1, second), (2, last)):
        expected = logits[0, first:-1].log_softmax(1).gather(1, torch.tensor(answer)[:, None])[:, 0]
        predictor = Patched(target, source, layer).predictor(tokenizer, "hf")
        scored = torch.tensor(predictor.score([pair])[pair].logprobs)
        torch.testing.assert_close(scored, expected, atol=1e-4, rtol=1e-4)


def test_a_patched_model_is_scored_and_generates_nothing():
    attack = attack_of(PATCHING)
    predictor = Patched(tiny_model(1), tiny_model(), 1).predictor(tiny_tokenizer(), "hf")
    assert attack.scores_alone
    [sample, *_] = scored_alone(predictor, {"forget": FORGET}, "patching")
    assert len(sample.logprobs) == len(sample.correct) > 0
    assert (sample.generation, sample.paraphrase_logprobs) == ("", ())
    assert sample.prompt == FORGET[0].prompt
    with pytest.raises(NotImplementedError, match="generates nothing"):
        predictor.generate([FORGET[0].pair.asked], 4)


def test_patching_needs_a_target_of_the_same_shape():
    with pytest.raises(BadInput, match="the model has 2 layers of 16 units, the target 3 layers"):
        attack_of(PATCHING).apply(tiny_model(), a_request(target=gpt2))


def test_a_soft_prompt_elicits_the_half_that_it_is_trained_on():
    model = tiny_model()
    attack = attack_of(SOFT)
    prompted = attack.apply(model, a_request())
    learned = {example.pair for example in halves(FORGET)[0]}
    rows = [row for row, pair in enumerate(PAIRS) if pair in learned]
    before, after = scores(model), scores(prompted)
    gain = [float(after[row].mean() - before[row].mean()) for row in rows]
    assert sum(gain) / len(gain) > 1
    assert attack.scored(FORGET) == halves(FORGET)[1]
    trained = dict(prompted.weights.named_parameters())
    for name, weight in model.named_parameters():
        other = trained[name.replace("embed_tokens.weight", "embed_tokens.words.weight")]
        assert torch.equal(weight, other)


def test_soft_tokens_are_embeddings_before_the_prompt_and_outside_the_vocabulary():
    """Logits equal those of the model's forward pass on embeddings instead of ids."""
    model = tiny_model()
    words = model.get_input_embeddings()
    soft = torch.randn(3, 16, generator=torch.Generator().manual_seed(0))
    extended = copy.deepcopy(model)
    extended.set_input_embeddings(ExtendedEmbedding(extended.get_input_embeddings(), soft))
    added = extended.get_input_embeddings().ids
    assert added == tuple(len(tiny_tokenizer()) + i for i in range(3))
    with torch.no_grad():
        given = model(inputs_embeds=torch.cat([soft, words(torch.tensor([5, 9]))])[None]).logits
        logits = extended(torch.tensor([[*added, 5, 9]])).logits
    torch.testing.assert_close(logits, given)
    assert logits.shape[-1] == len(tiny_tokenizer())


def test_soft_tokens_stand_behind_the_token_that_begins_every_text():
    class Beginning:
        bos_token_id = 1

        def __call__(self, text, **options):
            return {"input_ids": [1, 2]}

        def __hash__(self):
            return id(self)

    assert behind((7, 8), ([1, 5], [6]), Beginning()) == ([1, 7, 8, 5], [6])
    assert behind((7, 8), ([5], [6]), Beginning()) == ([7, 8, 5], [6])
    tokenizer = tiny_tokenizer()
    assert behind((7, 8), ([5], [6]), tokenizer) == ([7, 8, 5], [6])
    assert behind((7, 8), ([], [5, 6]), tokenizer) == ([7, 8, 5], [6]), "5 is not scored"


def test_a_model_without_blocks_is_bad_input():
    model = MambaForCausalLM(MambaConfig(vocab_size=20, hidden_size=8, num_hidden_layers=2))
    model.base_model.layers = torch.nn.Sequential(*model.base_model.layers)
    with pytest.raises(BadInput, match=r"^mamba models have no list of 2 blocks$"):
        blocks_of(model)
