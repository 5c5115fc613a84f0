"""Architectures: each is scored as in its own forward pass and continued as by its own generation,
or it is refused.
"""

import pytest
import torch
from architectures import SCORED, model_of
from toy_models import plain_tokenizer

from benchmark.core.examples import Pair, Prompt
from benchmark.errors import BadInput
from benchmark.inference.generation import generate
from benchmark.inference.scoring import score_pairs
from benchmark.models.checks import fit
from benchmark.tokens.batches import collate
from benchmark.tokens.losses import answer_nll
from benchmark.tokens.prompts import encode_pair, encode_prompt
from benchmark.training.lora import adapt, merge

# Encoders attend to later tokens, so padding and answers would change the scores.
REFUSED = ("bert", "electra", "roberta", "xlm-roberta")
ADAPTED = tuple(
    "deepseek_v3 falcon_h1 glm4_moe gpt2 gpt_oss jamba llama mixtral olmoe phimoe qwen3_moe".split()
)
QUESTIONS = ("Where was Ada Kel born?", "Ivo", "Who pays Ivo Tor and Ada?")
PAIRS = [Pair(question, answer) for question in QUESTIONS for answer in ("Malport", "Bren Union")]


def assert_scored_as_by_itself(model, tokenizer):
    """Asserts that answers have the log-probabilities of a plain forward pass on each alone."""
    scores = score_pairs(model, tokenizer, PAIRS)
    for pair in PAIRS:
        before, answer = encode_pair(pair, tokenizer)
        logprobs = model(torch.tensor([before + answer])).logits[0].log_softmax(-1)
        expected = [logprobs[len(before) + i - 1, token].item() for i, token in enumerate(answer)]
        assert scores[pair].logprobs == pytest.approx(expected, abs=1e-3)


@pytest.fixture
def asking():
    return plain_tokenizer()


def test_at_least_forty_architectures_are_tried():
    assert len(SCORED) >= 40


@pytest.mark.slow
@torch.no_grad()
@pytest.mark.parametrize("name", SCORED)
def test_an_architecture_is_scored_and_continued_as_by_its_own_code(name, asking):
    model = model_of(name, SCORED[name])
    fit(asking, model, name)
    assert_scored_as_by_itself(model, asking)
    prompts = [encode_prompt(Prompt(question), asking) for question in QUESTIONS]
    for prompt, (greedy,) in zip(prompts, generate(model, asking, prompts, 6), strict=True):
        own = model.generate(
            torch.tensor([prompt]), max_new_tokens=6, do_sample=False, pad_token_id=0
        )
        said = own[0, len(prompt) :].tolist()
        assert greedy == (said[: said.index(1)] if 1 in said else said)
    assert [len(own) for own in generate(model, asking, prompts, 3, samples=2)] == [2, 2, 2]


WINDOWED = {
    "gpt_oss": {"sliding_window": 16},
    "mistral": {"sliding_window": 16},
    "phi3": {"sliding_window": 16},
    "qwen2": {"use_sliding_window": True, "sliding_window": 16, "max_window_layers": 0},
}


@torch.no_grad()
@pytest.mark.parametrize("name", WINDOWED)
def test_attention_over_a_window_reads_no_padding_and_no_tree(name, asking):
    """Each question is longer than the window, and each continuation crosses it."""
    model = model_of(name, WINDOWED[name])
    fit(asking, model, name)
    prompts = [
        encode_prompt(Prompt(question * n), asking) for n, question in enumerate(QUESTIONS, 1)
    ]
    assert len(set(map(len, prompts))) > 1
    together = generate(model, asking, prompts, 6)
    assert together == [own for prompt in prompts for own in generate(model, asking, [prompt], 6)]
    assert_scored_as_by_itself(model, asking)


@pytest.mark.parametrize("name", REFUSED)
def test_a_model_that_looks_ahead_is_refused(name, asking):
    with pytest.raises(
        BadInput, match=rf"model mine: the scoring pass and .* differ by .* nats .* \({name}\)"
    ):
        fit(asking, model_of(name, {}), "mine")


def test_logits_that_depend_on_where_they_are_computed_are_refused(asking):
    """Logits that are transformed by position cannot be computed at selected positions only."""

    def by_position(module, given, out):
        return out | {"logits": out.logits * torch.arange(1.0, out.logits.shape[1] + 1)[:, None]}

    model = model_of("llama", {})
    model.register_forward_hook(by_position)
    with pytest.raises(BadInput, match="differ by"):
        fit(asking, model, "mine")


@pytest.mark.parametrize("name", ADAPTED)
def test_adapters_are_where_merging_them_changes_nothing(name, asking):
    """Mixtures of experts and state-space mixers have layers that adapters do not reach."""
    model = model_of(name, SCORED[name])
    weights = {key: p.clone() for key, p in model.named_parameters()}
    batch = collate(PAIRS, asking, model)
    adapt(model)
    trained = [p for p in model.parameters() if p.requires_grad]
    answer_nll(model, batch).mean().backward()
    assert trained
    assert all(p.grad is not None for p in trained)
    with torch.no_grad():
        for parameter in trained:
            parameter.normal_(0, 0.1)
        adapted = answer_nll(model, batch)
        merge(model)
        torch.testing.assert_close(answer_nll(model, batch), adapted, rtol=1e-4, atol=1e-3)
    assert list(weights) == [key for key, _ in model.named_parameters()]
    assert all(p.requires_grad for p in model.parameters())
    assert any(not torch.equal(weights[key], p) for key, p in model.named_parameters())


def test_a_model_without_layers_for_adapters_is_named():
    with pytest.raises(ValueError, match="mamba models have no linear layer that LoRA can adapt"):
        adapt(model_of("mamba", {}))
