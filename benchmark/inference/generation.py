"""The generation pass: greedy or sampled continuations of prompts, batched by length."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterator, Sequence
from itertools import groupby, takewhile

import torch
from transformers import DynamicCache, GenerationConfig, LogitsProcessor, LogitsProcessorList
from transformers.cache_utils import DynamicLayer

from benchmark.models.placement import seeded
from benchmark.tokens.batches import window_of
from benchmark.tokens.profile import profile_of
from benchmark.tokens.prompts import stop_ids

BATCH_SIZE = 256
MIXED_BATCH_SIZE = 64  # rows for large models, whose batches mix prompts of different lengths
Tokens = Sequence[int]


@torch.inference_mode()
def generate(
    model,
    tokenizer,
    prompts: Sequence[Tokens],
    max_new_tokens: int,
    samples: int = 0,
    seed: int = 0,
    processor: LogitsProcessor | None = None,
) -> list[list[list[int]]]:
    """Continuations of each prompt, in order, up to the first stop token: the greedy one, or
    `samples` sampled ones.

    A `processor` changes the logits (B, V) of each step, given all tokens (B, L) so far. Prompts
    are then batched by equal length, without padding.
    """
    stops = stop_ids(tokenizer, model)
    config = GenerationConfig(
        max_new_tokens=max_new_tokens,
        do_sample=samples > 0,
        eos_token_id=stops,
        pad_token_id=tokenizer.pad_token_id,
        **({"temperature": 1.0, "top_k": 0} if samples else {}),
    )
    copies = max(1, samples)
    continuations: list[list[list[int]]] = [[] for _ in prompts]
    longest = max(map(len, prompts), default=0) + max_new_tokens
    # Padding takes up room in an attention window: if that is too short for the longest sequence,
    # only prompts of equal length are batched together.
    fits = longest <= (window_of(model) or longest)
    padded = processor is None and fits and reads_padding(model)
    with seeded(seed):
        for batch in _batches(prompts, padded and profile_of(tokenizer).shared_prefixes, copies):
            rows = [prompts[row] for row in batch]
            tokens = (
                _continued(model, rows, config, copies)
                if padded
                else _each_continued(model, rows, config, copies, processor)
            )
            for place, continuation in enumerate(tokens):
                continuations[batch[place // copies]].append(_ended(continuation, stops))
    return continuations


def _batches(prompts: Sequence[Tokens], mixed: bool, copies: int) -> Iterator[list[int]]:
    """Yields the row indices of each batch: prompts of equal length, or, if `mixed`, of similar
    length, where extra batches would cost more than padding.
    """
    ordered = sorted(range(len(prompts)), key=lambda row: (len(prompts[row]), row))
    groups = (
        [ordered]
        if mixed
        else [list(rows) for _, rows in groupby(ordered, key=lambda row: len(prompts[row]))]
    )
    size = max(1, (MIXED_BATCH_SIZE if mixed else BATCH_SIZE) // copies)
    for rows in groups:
        for start in range(0, len(rows), size):
            yield rows[start : start + size]


def _continued(
    model, prompts: Sequence[Tokens], config: GenerationConfig, copies: int
) -> list[list[int]]:
    """`copies` continuations of each prompt. Shared tokens are read once: the prefix common to all
    prompts, and the prompt of several copies.

    Padding goes between the common prefix and the rest of a prompt.
    """
    shared = _common(prompts) if len(set(map(len, prompts))) > 1 else 0
    length, pad = max(map(len, prompts)), config.pad_token_id

    def filled(prompt: Tokens, filler: int) -> list[int]:
        return [*prompt[:shared], *([filler] * (length - len(prompt))), *prompt[shared:]]

    ids = torch.tensor([filled(p, pad) for p in prompts], device=model.device)
    mask = torch.tensor([filled([1] * len(p), 0) for p in prompts], device=model.device)
    cache = DynamicCache(config=model.config)
    if shared:
        _read(model, ids[:1, :shared], mask[:1, :shared], cache)
        cache.batch_repeat_interleave(len(prompts))
    if not config.do_sample and length > 1:
        if cache.get_seq_length() < length - 1:
            _read(model, ids[:, :-1], mask[:, :-1], cache)
        if cache.get_seq_length():  # a few architectures keep no cache
            return _greedily(model, ids, mask, cache, config)
    if copies > 1:
        if length > 1:
            _read(model, ids[:, :-1], mask[:, :-1], cache)
            cache.batch_repeat_interleave(copies)
        ids, mask = ids.repeat_interleave(copies, 0), mask.repeat_interleave(copies, 0)
    begun = {"past_key_values": cache} if cache.get_seq_length() else {}
    return model.generate(ids, attention_mask=mask, generation_config=config, **begun)[
        :, length:
    ].tolist()


def _greedily(
    model, ids: torch.Tensor, mask: torch.Tensor, cache: DynamicCache, config: GenerationConfig
) -> list[list[int]]:
    """Greedy continuations of prompts (B, L); the cache holds all but the last token of each.

    A prompt leaves the batch when its answer ends, since decoding goes on for as many steps as the
    longest answer has tokens.
    """
    stops = torch.tensor(config.eos_token_id, device=ids.device)
    continuations: list[list[int]] = [[] for _ in ids]
    rows, tokens = list(range(len(ids))), ids[:, -1:]
    for _ in range(config.max_new_tokens):
        logits = model(
            tokens,
            attention_mask=mask,
            position_ids=mask.sum(1, keepdim=True) - 1,
            past_key_values=cache,
            use_cache=True,
        ).logits
        tokens = logits[:, -1:].argmax(-1)
        for row, token in zip(rows, tokens[:, 0].tolist(), strict=True):
            continuations[row].append(token)
        going_on = (~torch.isin(tokens[:, 0], stops)).nonzero()[:, 0]
        if not len(going_on):
            break
        if len(going_on) < len(rows):
            cache.batch_select_indices(going_on)
            tokens, mask = tokens[going_on], mask[going_on]
            rows = [rows[place] for place in going_on.tolist()]
        mask = torch.nn.functional.pad(mask, (0, 1), value=1)
    return continuations


def _common(prompts: Sequence[Tokens]) -> int:
    """Length of the common prefix, leaving at least one token of each prompt to continue from."""
    columns = zip(*(prompt[:-1] for prompt in prompts), strict=False)
    return next(
        (i for i, column in enumerate(columns) if len(set(column)) > 1), min(map(len, prompts)) - 1
    )


def _read(model, ids: torch.Tensor, mask: torch.Tensor, cache: DynamicCache) -> None:
    """Extends a cache, which already covers the first of the tokens (B, L), by the keys and values
    of the rest.
    """
    known = cache.get_seq_length()
    places = (mask.cumsum(1) - 1).clamp(min=0)[:, known:]
    model.base_model(
        ids[:, known:],
        attention_mask=mask,
        position_ids=places,
        past_key_values=cache,
        use_cache=True,
    )


def reads_padding(model) -> bool:
    """Whether prompts of different lengths can share a padded batch, and their common prefix be
    read once.

    A state-space model would absorb padding into its state, and a model without `position_ids`
    would count padding as positions.
    """
    if model._is_stateful or not model._supports_default_dynamic_cache():
        return False
    positioned = "position_ids" in inspect.signature(model.base_model.forward).parameters
    return positioned and all(
        isinstance(layer, DynamicLayer) for layer in DynamicCache(config=model.config).layers
    )


def _each_continued(
    model,
    prompts: Sequence[Tokens],
    config: GenerationConfig,
    copies: int,
    processor: LogitsProcessor | None,
) -> list[list[int]]:
    """`copies` continuations of each prompt, all of equal length, by the model's own `generate`."""
    ids = torch.tensor(prompts, device=model.device).repeat_interleave(copies, 0)
    sequences = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        generation_config=config,
        logits_processor=LogitsProcessorList([processor] if processor else []),
    )
    return sequences[:, ids.shape[1] :].tolist()


def _ended(tokens: list[int], stops: Collection[int]) -> list[int]:
    return list(takewhile(lambda token: token not in stops, tokens))
