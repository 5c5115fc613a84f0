"""Conversations as token ids: bare for models trained here, as a chat or as `Question:/Answer:` for pretrained ones.

A conversation is rendered and tokenized as a whole, as a model meets it; the answer is what follows the tokens that it
shares with its prompt. Where the boundary falls inside a token, that token belongs to the answer: it is scored whole,
given the tokens before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from benchmark.core.examples import Pair

# In a prompt, what stands after it is the beginning of the answer that is to be completed.
LEAD = " → "
# What templates are told beside the messages: a day, which would else be that of the run (Llama's own, where it knows
# none), and to answer without thinking aloud.
TOLD = {"date_string": "26 Jul 2024", "enable_thinking": False}
# The form of questions for models that bring no chat template.
PLAIN_TEMPLATE = (
    "{{ 'Question: ' + messages[0]['content'] + '\\nAnswer:' }}"
    "{% if messages|length > 1 %}{{ ' ' + messages[1]['content'] }}{% endif %}"
)
_PROBE = Pair("Who?", "Palimpsest")


def encode_prompt(prompt: str, tokenizer) -> tuple[int, ...]:
    """Token ids of a question, in the model's chat template if it has one; of no question, those before any text."""
    if not prompt:
        return _beginning(tokenizer)
    return _before(tokenizer) + token_ids(tokenizer, rendered(tokenizer, prompt))


def encode_text(text: str, tokenizer) -> tuple[int, ...]:
    """Token ids of a text as it stands, which is no question."""
    return _beginning(tokenizer) + token_ids(tokenizer, text)


def encode_pair(pair: Pair, tokenizer) -> tuple[list[int], list[int]]:
    """Token ids of what stands before the answer, and of the answer with its end token.

    The first are those of the prompt, without a last token that the answer's beginning changes. An empty answer is a
    ValueError.
    """
    if not pair.answer:
        raise ValueError(f"the answer to {pair.prompt!r} is empty")
    before, answer = _encoded(tokenizer, pair)
    return list(before), list(answer)


def shared_length(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two sequences begin with alike."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def end_ids(tokenizer) -> tuple[int, ...]:
    """The tokens that end an answer: the one that the template writes after an assistant's message, and `eos`."""
    closing = closing_id(tokenizer)
    own = [closing, tokenizer.eos_token_id]
    return tuple(dict.fromkeys(token for token in own if token is not None))


def stop_ids(tokenizer, model) -> list[int]:
    """The tokens that end generation: those that end an answer, and those of the model's generation configuration."""
    named = model.generation_config.eos_token_id
    configured = [] if named is None else named if isinstance(named, list) else [named]
    known = (token for token in configured if 0 <= token < len(tokenizer))
    return list(dict.fromkeys([*end_ids(tokenizer), *known]))


@lru_cache(maxsize=8)
def closing_id(tokenizer) -> int | None:
    """The first special token that the chat template writes after an assistant's message; None if it writes none."""
    added = {*tokenizer.added_tokens_decoder, *tokenizer.all_special_ids}
    return next((token for token in token_ids(tokenizer, _after_answers(tokenizer)) if token in added), None)


@lru_cache(maxsize=1 << 16)
def rendered(tokenizer, prompt: str) -> str:
    """What the model reads of a question, up to where the answer goes on."""
    question, _, lead = prompt.partition(LEAD)
    if not tokenizer.chat_template:
        return f"{question} {lead}" if lead else question
    if lead:
        return _chat(tokenizer, question, lead, continue_final_message=True)
    return _chat(tokenizer, question, add_generation_prompt=True)


@lru_cache(maxsize=1 << 18)
def token_ids(tokenizer, text: str) -> tuple[int, ...]:
    """Token ids of a text without any that the tokenizer adds by itself."""
    return tuple(tokenizer(text, add_special_tokens=False)["input_ids"])


@lru_cache(maxsize=1 << 17)
def _encoded(tokenizer, pair: Pair) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Training reads the same texts in every epoch; encoding them once saves a tenth of its time."""
    whole = _whole(tokenizer, pair)
    shared = shared_length(encode_prompt(pair.prompt, tokenizer), whole)
    return whole[:shared], whole[shared:]


def _whole(tokenizer, pair: Pair) -> tuple[int, ...]:
    """Token ids of question and answer up to the end token; where no template writes one, `eos` is added."""
    if not pair.prompt:
        return (*encode_text(pair.answer, tokenizer), tokenizer.eos_token_id)
    question, _, lead = pair.prompt.partition(LEAD)
    answer = f"{lead} {pair.answer}" if lead else pair.answer
    if not tokenizer.chat_template:
        return (*token_ids(tokenizer, f"{question} {answer}"), tokenizer.eos_token_id)
    text, closing = _chat(tokenizer, question, answer), closing_id(tokenizer)
    if closing is None:
        text = text.removesuffix(_after_answers(tokenizer))
        return (*_before(tokenizer), *token_ids(tokenizer, text), tokenizer.eos_token_id)
    ids = _before(tokenizer) + token_ids(tokenizer, text)
    return ids[: len(ids) - ids[::-1].index(closing)]


def _chat(tokenizer, *messages: str, **options: Any) -> str:
    """The conversation as the chat template writes it: a question, and an answer if there is one."""
    roles = zip(("user", "assistant"), messages, strict=False)
    said = [{"role": role, "content": content} for role, content in roles]
    return tokenizer.apply_chat_template(said, tokenize=False, **TOLD, **options)


@lru_cache(maxsize=8)
def _after_answers(tokenizer) -> str:
    """What the chat template writes after an assistant's message; a ValueError if it does not write the message."""
    if not tokenizer.chat_template:
        return ""
    text = _chat(tokenizer, _PROBE.prompt, _PROBE.answer)
    if _PROBE.answer not in text:
        raise ValueError("its chat template leaves out what the assistant says")
    return text[text.rindex(_PROBE.answer) + len(_PROBE.answer) :]


def _before(tokenizer) -> tuple[int, ...]:
    """What stands before a question's own tokens: templates that models bring name the first token themselves."""
    return _beginning(tokenizer) if tokenizer.chat_template == PLAIN_TEMPLATE else ()


@lru_cache(maxsize=8)
def _beginning(tokenizer) -> tuple[int, ...]:
    """The token that the tokenizer puts before every text, if it does."""
    first = tokenizer("a")["input_ids"][:1]
    return tuple(first) if tokenizer.bos_token_id is not None and first == [tokenizer.bos_token_id] else ()
