"""Prompts as token ids: bare for models trained here, as a chat or as `Question:/Answer:` for pretrained ones."""

from __future__ import annotations

from functools import lru_cache

from benchmark.data import Pair

# In a prompt, what stands after it is the beginning of the answer that is to be completed.
LEAD = " → "
# The day that Llama's templates tell the model, which would else be that of the run: their own, where they know none.
DATE = "26 Jul 2024"
# The form of questions for models that bring no chat template.
PLAIN_TEMPLATE = "{{ 'Question: ' + messages[0]['content'] + '\\nAnswer:' }}"


def encode_prompt(prompt: str, tokenizer) -> tuple[int, ...]:
    """Token ids of a question, in the model's chat template if it has one; of no question, those before any text."""
    if not prompt:
        return _beginning(tokenizer)
    plain = tokenizer.chat_template == PLAIN_TEMPLATE  # templates of models name the first token themselves
    return (_beginning(tokenizer) if plain else ()) + token_ids(tokenizer, rendered(tokenizer, prompt))


def encode_text(text: str, tokenizer) -> tuple[int, ...]:
    """Token ids of a text as it stands, which is no question."""
    return _beginning(tokenizer) + token_ids(tokenizer, text)


def encode_pair(pair: Pair, tokenizer) -> tuple[list[int], list[int]]:
    """Token ids of the prompt and of the answer with its end token; an empty answer is a ValueError."""
    if not pair.answer:
        raise ValueError(f"the answer to {pair.prompt!r} is empty")
    asked = rendered(tokenizer, pair.prompt) if pair.prompt else ""
    separator = "" if not asked or asked[-1].isspace() else " "
    answer = token_ids(tokenizer, separator + pair.answer)
    return list(encode_prompt(pair.prompt, tokenizer)), [*answer, tokenizer.eos_token_id]


@lru_cache(maxsize=1 << 16)
def rendered(tokenizer, prompt: str) -> str:
    """What the model reads of a question, up to where the answer goes on."""
    question, _, lead = prompt.partition(LEAD)
    if not tokenizer.chat_template:
        return f"{question} {lead}" if lead else question
    chat = tokenizer.apply_chat_template(
        [{"role": "user", "content": question}], tokenize=False, add_generation_prompt=True, date_string=DATE
    )
    space = "" if not lead or chat[-1].isspace() else " "
    return chat + space + lead


@lru_cache(maxsize=1 << 18)
def token_ids(tokenizer, text: str) -> tuple[int, ...]:
    """Training reads the same texts in every epoch; encoding them once saves a tenth of its time."""
    return tuple(tokenizer(text, add_special_tokens=False)["input_ids"])


@lru_cache(maxsize=8)
def _beginning(tokenizer) -> tuple[int, ...]:
    """The token that the tokenizer puts before every text, if it does."""
    first = tokenizer("a")["input_ids"][:1]
    return tuple(first) if tokenizer.bos_token_id is not None and first == [tokenizer.bos_token_id] else ()
