"""Conversations as token ids: bare, in the plain form or as a chat, as the model's profile says.

A conversation is rendered and tokenized as a whole, as the model sees it; the answer is everything
after the tokens that it shares with its prompt. A token that spans the boundary belongs to the
answer: it is scored whole, given the tokens before it. The prompt is everything that the template
writes before the assistant's message, including a role header, a channel or an empty thinking
block.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from benchmark.core.examples import Pair, Prompt, Turn
from benchmark.errors import BadInput
from benchmark.tokens.profile import profile_of

# The date given to templates, which would otherwise be that of the run: the default of Llama's
# template.
DAY = datetime(2024, 7, 26)
# Template variables besides the messages: that date, and no thinking.
TOLD = {
    "date_string": DAY.strftime("%d %b %Y"),
    "strftime_now": DAY.strftime,
    "enable_thinking": False,
}
# The plain form of questions, for models without a chat template.
PLAIN_TEMPLATE = (
    "{% for m in messages %}"
    "{% if m['role'] == 'user' %}{{ 'Question: ' + m['content'] + '\\nAnswer:' }}"
    "{% else %}{{ ' ' * (m['role'] == 'assistant') + m['content'] }}"
    "{% if not loop.last %}{{ '\\n\\n' }}{% endif %}{% endif %}{% endfor %}"
)
_PROBE = Pair("Who?", "Palimpsest")


def encode_prompt(prompt: Prompt, tokenizer) -> tuple[int, ...]:
    """Token ids of a conversation up to where the answer continues, in the form of the model's
    profile; without a question, the ids that precede any text.
    """
    if not prompt.text:
        return _beginning(tokenizer)
    return _before(tokenizer) + token_ids(tokenizer, rendered(tokenizer, prompt))


def encode_text(text: str, tokenizer) -> tuple[int, ...]:
    """Token ids of a text that is not a question, including a leading bos token if there is one."""
    return _beginning(tokenizer) + token_ids(tokenizer, text)


def encode_pair(pair: Pair, tokenizer) -> tuple[list[int], list[int]]:
    """Token ids of the prompt, and of the answer with its end token if the model's profile has
    answers end.

    The prompt loses its last token if the beginning of the answer changes that token. ValueError if
    the answer is empty.
    """
    if not pair.answer:
        raise ValueError(f"the answer to {pair.prompt!r} is empty")
    before, answer = _encoded(tokenizer, pair)
    return list(before), list(answer)


def shared_length(one: Sequence[int], other: Sequence[int]) -> int:
    """Length of the longest common prefix of two token sequences."""
    return next(
        (i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
        min(len(one), len(other)),
    )


def stop_ids(tokenizer, model) -> list[int]:
    """The tokens that end generation: the closing token of answers, `eos`, and those in the
    generation configuration.
    """
    named = model.generation_config.eos_token_id
    configured = named if isinstance(named, list) else [named]
    known = [token for token in configured if token is not None and 0 <= token < len(tokenizer)]
    ends = (closing_id(tokenizer), tokenizer.eos_token_id, *known)
    return list(dict.fromkeys(token for token in ends if token is not None))


@lru_cache(maxsize=8)
def closing_id(tokenizer) -> int | None:
    """The first special token that the chat template writes after an assistant's message; None if
    it writes none.

    Without one, the first visible added token counts: some chat models do not mark theirs as
    special.
    """
    added = tokenizer.added_tokens_decoder
    special = {
        *tokenizer.all_special_ids,
        *(token for token, entry in added.items() if entry.special),
    }
    visible = {token for token, entry in added.items() if entry.content.strip()}
    written = token_ids(tokenizer, _after_answers(tokenizer))
    return next(
        (token for known in (special, visible) for token in written if token in known), None
    )


@lru_cache(maxsize=8)
def closing_text(tokenizer) -> str:
    """The text that ends an answer, up to and including the closing token; without a closing token,
    everything that the template writes after the answer, without trailing whitespace.

    Empty if the template writes only whitespace.
    """
    after, closing = _after_answers(tokenizer), closing_id(tokenizer)
    token = "" if closing is None else tokenizer.convert_ids_to_tokens(closing)
    return after[: after.index(token) + len(token)] if token and token in after else after.rstrip()


def forget_template(tokenizer) -> None:
    """Clears all caches of prompts and templates, after a tokenizer's special tokens change."""
    for remembered in (
        closing_id,
        closing_text,
        _after_answers,
        rendered,
        token_ids,
        _encoded,
        _beginning,
    ):
        remembered.cache_clear()


@lru_cache(maxsize=1 << 16)
def rendered(tokenizer, prompt: Prompt) -> str:
    """The text that the model reads up to where the answer continues; BadInput if the template
    leaves out a message of the conversation.
    """
    if profile_of(tokenizer).prompts == "bare":
        return _bare(prompt)
    text = _chat(tokenizer, prompt, _begun(prompt, _PROBE.answer))
    before = text[: text.rindex(_PROBE.answer)]
    for _, message in prompt.messages if prompt.history else ():
        if message.strip() not in before:
            raise BadInput(f"the chat template leaves out {message[:60]!r} of a conversation")
    if prompt.answer_prefix:
        return before.rstrip()
    usual = _chat(tokenizer, prompt, add_generation_prompt=True)
    # Templates differ in the whitespace before an answer: models expect that of a generation
    # prompt.
    return usual if usual.rstrip() == before.rstrip() else before


def _bare(prompt: Prompt) -> str:
    """The texts of the turns and the answer prefix, joined by spaces."""
    texts = (*(text for _, text in prompt.messages), prompt.answer_prefix)
    return " ".join(text for text in texts if text)


def _begun(prompt: Prompt, answer: str) -> str:
    """The assistant's message: the answer prefix, if any, and the answer."""
    return f"{prompt.answer_prefix} {answer}" if prompt.answer_prefix else answer


@lru_cache(maxsize=1 << 18)
def token_ids(tokenizer, text: str) -> tuple[int, ...]:
    """Token ids of a text, without special tokens that the tokenizer would add."""
    return tuple(tokenizer(text, add_special_tokens=False)["input_ids"])


@lru_cache(maxsize=1 << 17)
def _encoded(tokenizer, pair: Pair) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Token ids of prompt and answer, cached because training reads the same texts in every epoch:
    this saves a tenth of its time.
    """
    ids = _whole(tokenizer, pair)
    shared = shared_length(encode_prompt(pair.asked, tokenizer), ids)
    return ids[:shared], ids[shared:]


def _whole(tokenizer, pair: Pair) -> tuple[int, ...]:
    """Token ids of question and answer, with the end of the answer if the profile wants one: `eos`
    if no template writes it. BadInput if the chat template alters the conversation.
    """
    profile, prompt = profile_of(tokenizer), pair.asked
    end = (tokenizer.eos_token_id,) if profile.ended else ()
    if not pair.prompt:
        return (*encode_text(pair.answer, tokenizer), *end)
    if profile.prompts == "bare":
        return (*_before(tokenizer), *token_ids(tokenizer, f"{_bare(prompt)} {pair.answer}"), *end)
    text = _chat(tokenizer, prompt, _begun(prompt, pair.answer))
    closing = closing_text(tokenizer) if profile.ended else ""
    text = text.removesuffix(_after_answers(tokenizer))
    before = rendered(tokenizer, prompt).rstrip()
    if not text.startswith(before) or pair.answer.strip() not in text[len(before) :]:
        raise BadInput(
            f"the chat template changes the conversation with the answer {pair.answer[:60]!r}"
        )
    ids = _before(tokenizer) + token_ids(tokenizer, text + closing)
    return ids if closing else (*ids, *end)


def _chat(tokenizer, prompt: Prompt, answer: str = "", **options: Any) -> str:
    """The conversation rendered by the chat template or the plain form, with the answer if there is
    one.
    """
    turns: tuple[Turn, ...] = (*prompt.messages, *([("assistant", answer)] if answer else []))
    messages = [{"role": role, "content": text} for role, text in turns]
    if profile_of(tokenizer).prompts == "plain":
        options["chat_template"] = PLAIN_TEMPLATE
    return tokenizer.apply_chat_template(messages, tokenize=False, **TOLD, **options)


@lru_cache(maxsize=8)
def _after_answers(tokenizer) -> str:
    """The text that the chat template writes after an assistant's message; ValueError if the
    template leaves out the message.
    """
    if profile_of(tokenizer).prompts == "bare":
        return ""
    text = _chat(tokenizer, _PROBE.asked, _PROBE.answer)
    if _PROBE.answer not in text:
        raise ValueError("its chat template leaves out what the assistant says")
    return text[text.rindex(_PROBE.answer) + len(_PROBE.answer) :]


def _before(tokenizer) -> tuple[int, ...]:
    """Token ids before a question's own tokens; none for chats, because the models' templates write
    the first token themselves.
    """
    return () if profile_of(tokenizer).prompts == "chat" else _beginning(tokenizer)


@lru_cache(maxsize=8)
def _beginning(tokenizer) -> tuple[int, ...]:
    """The bos token, if the tokenizer puts it before every text; otherwise empty."""
    first = tokenizer("a")["input_ids"][:1]
    return (
        tuple(first)
        if tokenizer.bos_token_id is not None and first == [tokenizer.bos_token_id]
        else ()
    )
