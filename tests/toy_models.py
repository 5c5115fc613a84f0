"""Models small enough for a test: two layers, random weights, a tokenizer trained on a few
words.
"""

import copy
from dataclasses import replace
from functools import lru_cache

import torch
from tokenizers import Tokenizer, decoders, pre_tokenizers, trainers
from tokenizers import models as token_models
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from benchmark.tokens.profile import ComputeProfile, with_profile

TEXTS = [
    "Question: Where was Ada Kel born? Answer: Malport",
    "Ivo Tor works for Bren Union",
    "I do not know.",
]


# Profiles of models trained here, and of pretrained ones without and with a chat template.
BARE = ComputeProfile(prompts="bare", shared_prefixes=False, linears="torch", standardized=False)
PLAIN = ComputeProfile(prompts="plain", shared_prefixes=True, linears="onednn", standardized=True)
CHAT = replace(PLAIN, prompts="chat")


@lru_cache(maxsize=1)
def tiny_tokenizer():
    tokenizer = Tokenizer(token_models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = ["<pad>", "<end>"]
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    made = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<end>")
    return with_profile(made, BARE)


def plain_tokenizer():
    """A new tokenizer with plain prompts, as for a pretrained model without a chat template."""
    return with_profile(copy.deepcopy(tiny_tokenizer()), PLAIN)


def chat_tokenizer(template):
    """A new tokenizer that puts prompts into this chat template."""
    tokenizer = with_profile(copy.deepcopy(tiny_tokenizer()), CHAT)
    tokenizer.chat_template = template
    return tokenizer


def tiny_model(seed=0):
    """A model with random weights large enough for token probabilities to differ clearly."""
    config = LlamaConfig(
        vocab_size=len(tiny_tokenizer()),
        hidden_size=16,
        num_hidden_layers=2,
        intermediate_size=32,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=512,
        initializer_range=0.5,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=1,
        pad_token_id=0,
    )
    torch.manual_seed(seed)
    return LlamaForCausalLM(config).eval()
