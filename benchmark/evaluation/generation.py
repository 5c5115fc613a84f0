"""The generation pass: greedy continuations in batches of prompts of equal length, so that nothing is padded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch
from transformers import GenerationConfig

BATCH_SIZE = 256


@dataclass(frozen=True)
class GenerationSettings:
    """Part of a cell's identity; `continuation_tokens` is the limit after a prefix of a text."""

    backend: str = "hf"
    max_new_tokens: int = 10
    continuation_tokens: int = 32
    temperature: float = 0.0

    def as_dict(self) -> dict:
        return asdict(self)


@torch.inference_mode()
def generate(model, tokenizer, prompts: Sequence[str], max_new_tokens: int) -> dict[str, str]:
    """The continuation of every distinct prompt, without the prompt and without special tokens."""
    by_length: dict[int, list[tuple[str, list[int]]]] = defaultdict(list)
    for prompt in sorted(set(prompts)):
        ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
        by_length[len(ids)].append((prompt, ids))
    config = GenerationConfig(
        max_new_tokens=max_new_tokens,
        do_sample=False,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    continuations: dict[str, str] = {}
    for length, rows in sorted(by_length.items()):
        for start in range(0, len(rows), BATCH_SIZE):
            batch = rows[start : start + BATCH_SIZE]
            ids = torch.tensor([row for _, row in batch], device=model.device)
            output = model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=config)
            texts = tokenizer.batch_decode(output[:, length:], skip_special_tokens=True)
            continuations.update({prompt: text.strip() for (prompt, _), text in zip(batch, texts, strict=True)})
    return continuations
