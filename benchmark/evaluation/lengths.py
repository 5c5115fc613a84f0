"""Checks, before anything runs, that a model has enough positions for every sequence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmark.core.examples import Example, Pair
from benchmark.errors import BadInput
from benchmark.evaluation.outputs import pairs_of, prefixes, prompts_of
from benchmark.inference.settings import GenerationSettings
from benchmark.metrics.base import MEMBERSHIP_HOLDOUT
from benchmark.tokens.prompts import encode_pair, encode_prompt, encode_text


def positions_needed(
    tokenizer, splits: Mapping[str, Sequence[Example]], settings: GenerationSettings
) -> dict[str, int]:
    """Number of positions that each example needs, by `split/example`."""
    return {
        f"{split}/{example.id}": _evaluated(tokenizer, split, example, settings)
        for split, rows in splits.items()
        for example in rows
    }


def refuse_too_long(model: str, limit: int, needed: Mapping[str, int]) -> None:
    """BadInput, naming the longest example, if any needs more positions than the model has."""
    long = {name: tokens for name, tokens in needed.items() if tokens > limit}
    if long:
        longest = max(long, key=long.__getitem__)
        raise BadInput(
            f"model {model}: example {longest} needs {long[longest]} tokens, there is room for "
            f"{limit} "
            f"({len(long)} of {len(needed)} examples are too long)"
        )


def _evaluated(tokenizer, split: str, example: Example, settings: GenerationSettings) -> int:
    """Number of positions of an example's longest sequence, generated answers included."""
    lengths = [tokens_of(tokenizer, pair) for pair in pairs_of(example)]
    if split != MEMBERSHIP_HOLDOUT:
        lengths += [
            len(encode_prompt(prompt, tokenizer)) + settings.max_new_tokens
            for prompt in prompts_of(example)
        ]
    if split == "forget":
        begun = prefixes(example).values()
        lengths += [
            len(encode_text(text, tokenizer)) + settings.continuation_tokens for text in begun
        ]
    return max(lengths)


def tokens_of(tokenizer, pair: Pair) -> int:
    """Number of tokens of prompt and answer together."""
    prompt, answer = encode_pair(pair, tokenizer)
    return len(prompt) + len(answer)
