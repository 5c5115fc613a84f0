"""Architectures: each is scored as its own forward pass computes, continued as its own
generation does, or refused.
"""

import pytest
import torch
from toy_models import plain_tokenizer, tiny_tokenizer
from transformers import AutoConfig, AutoModelForCausalLM, GenerationConfig

from benchmark.core.examples import Pair, Prompt
from benchmark.errors import BadInput
from benchmark.inference.generation import generate
from benchmark.inference.scoring import score_pairs
from benchmark.models.checks import fit
from benchmark.tokens.batches import collate
from benchmark.tokens.losses import answer_nll
from benchmark.tokens.prompts import encode_pair, encode_prompt
from benchmark.training.lora import adapt, merge

SMALL = {
    "vocab_size": len(tiny_tokenizer()),
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 64,
    "head_dim": 8,
    "max_position_embeddings": 128,
    "bos_token_id": None,
    "eos_token_id": 1,
    "pad_token_id": 0,
    "initializer_range": 0.4,
}
DECODER = {
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "decoder_attention_heads": 4,
    "decoder_ffn_dim": 64,
}
LATENT = {
    **{
        "q_lora_rank": 16,
        "kv_lora_rank": 16,
        "qk_nope_head_dim": 8,
        "qk_rope_head_dim": 8,
        "v_head_dim": 16,
    },
    "num_key_value_heads": 4,
}
EXPERTS = {"n_routed_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}
STATES = {"mamba_n_heads": 4, "mamba_d_head": 16, "mamba_d_state": 8}
MIXED = {"layer_types": ["linear_attention", "full_attention"]}
LEFT_OUT = object()  # a name that a configuration does not take
# What a configuration needs beside SMALL; heads with scales and caps have some that differ from 1.
SCORED = {
    "apertus": {},
    "arcee": {},
    "bamba": {**STATES, "attn_layer_indices": [1]},
    "bart": DECODER,
    "biogpt": {},
    "bitnet": {},
    "bloom": {},
    "codegen": {"rotary_dim": 4},
    "cohere": {"logit_scale": 0.0625},
    "cohere2": {"logit_scale": 0.25},
    "ctrl": {},
    "deepseek_v2": {**LATENT, **EXPERTS},
    "deepseek_v3": {**LATENT, **EXPERTS, "n_group": 1, "topk_group": 1},
    "ernie4_5": {},
    "exaone4": {},
    "falcon": {"head_dim": LEFT_OUT},
    "falcon_h1": {**STATES, "mamba_d_ssm": 64, "mamba_chunk_size": 16, "lm_head_multiplier": 0.3},
    "gemma": {},
    "gemma2": {"final_logit_softcapping": 3.0},
    "gemma3_text": {"final_logit_softcapping": 5.0},
    "glm": {},
    "glm4": {},
    "gpt2": {},
    "gpt_bigcode": {},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]], "num_layers": 2},
    "gpt_neox": {},
    "gpt_oss": {},
    "gptj": {"rotary_dim": 4},
    "granite": {"logits_scaling": 8.0, "embedding_multiplier": 12.0, "residual_multiplier": 0.22},
    "granitemoe": {"logits_scaling": 6.0},
    "granitemoehybrid": {**STATES, **MIXED, "logits_scaling": 6.0},
    "glm4_moe": {**EXPERTS, "first_k_dense_replace": 1},
    "helium": {},
    "jamba": {
        "attn_layer_period": 2,
        "attn_layer_offset": 1,
        "expert_layer_period": 2,
        "mamba_d_state": 8,
    },
    "lfm2": {"layer_types": ["conv", "full_attention"]},
    "llama": {},
    "mamba": {},
    "mamba2": {"num_heads": 4, "head_dim": 16, "state_size": 16, "n_groups": 2, "chunk_size": 16},
    "minicpm3": {**LATENT, "dim_model_base": 8},
    "minimax": {},
    "ministral": {},
    "mistral": {},
    "mixtral": {},
    "mpt": {},
    "nemotron": {},
    "olmo": {},
    "olmo2": {},
    "olmo3": {},
    "olmoe": {},
    "openai-gpt": {},
    "opt": {},
    "persimmon": {},
    "phi": {},
    "phi3": {},
    "phimoe": {},
    "qwen2": {},
    "qwen2_moe": {},
    "qwen3": {},
    "qwen3_5_text": MIXED,
    "qwen3_moe": {},
    "recurrent_gemma": {"logits_soft_cap": 4.0},
    "rwkv": {},
    "smollm3": {},
    "stablelm": {},
    "starcoder2": {},
    "xglm": {},
}
# Encoders attend to what comes after: padding and answers would change what is scored.
REFUSED = ("bert", "electra", "roberta", "xlm-roberta")
ADAPTED = tuple(
    "deepseek_v3 falcon_h1 glm4_moe gpt2 gpt_oss jamba llama mixtral olmoe phimoe qwen3_moe".split()
)
QUESTIONS = ("Where was Ada Kel born?", "Ivo", "Who pays Ivo Tor and Ada?")
PAIRS = [Pair(question, answer) for question in QUESTIONS for answer in ("Malport", "Bren Union")]


def model_of(name, special):
    config = {key: value for key, value in {**SMALL, **special}.items() if value is not LEFT_OUT}
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(type(AutoConfig.for_model(name))(**config)).eval()
    model.generation_config = GenerationConfig(
        eos_token_id=1
    )  # bart's own would force the last token
    return model


def assert_scored_as_by_itself(model, tokenizer):
    """Every answer has the log-probabilities of a plain forward pass on its sequence alone."""
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
    """What a model does to its logits by position cannot be done on selected positions."""

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
