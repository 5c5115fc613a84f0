"""Small architectures with random weights."""

import torch
from toy_models import tiny_tokenizer
from transformers import AutoConfig, AutoModelForCausalLM, GenerationConfig

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
LEFT_OUT = object()  # marks a field that a configuration does not take
# Each configuration's fields besides SMALL; scales and caps of the logits differ from 1.
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


def model_of(name, special):
    config = {key: value for key, value in {**SMALL, **special}.items() if value is not LEFT_OUT}
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(type(AutoConfig.for_model(name))(**config)).eval()
    model.generation_config = GenerationConfig(
        eos_token_id=1
    )  # bart's own configuration would force the last token
    return model
