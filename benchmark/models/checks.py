"""Checks whether a pretrained model can be used here, and fits its tokenizer to it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch

from benchmark.core.examples import Pair
from benchmark.errors import BadInput
from benchmark.tokens.batches import collate
from benchmark.tokens.losses import answer_logits
from benchmark.tokens.profile import ComputeProfile
from benchmark.tokens.prompts import closing_id, encode_prompt, forget_template

# Nats allowed between the suite's scoring pass and the model's own forward pass, by weight dtype.
TOLERANCES = {torch.float32: 1e-3, torch.bfloat16: 0.1}
# Questions and answers with a common beginning and different lengths, so that batches have padding
# and prefix trees have branches.
PROBES = (
    Pair("What is the capital of France?", "Paris"),
    Pair("What is the capital of Chad?", "It is N'Djamena."),
)
LIMITS = (
    "max_position_embeddings",
    "max_seq_len",
)  # configuration fields that hold the number of positions


def check_template(tokenizer: Any, profile: ComputeProfile, name: str) -> None:
    """BadInput if the profile requires a chat template that the tokenizer lacks."""
    if profile.prompts == "chat" and not tokenizer.chat_template:
        raise BadInput(
            f"model {name}: its profile has `prompts: chat`, but its tokenizer has no chat "
            "template; use `prompts: plain`"
        )


def fit(tokenizer: Any, model: Any, name: str) -> None:
    """Sets what the tokenizer lacks and the model defines: an end token, padding, and the maximum
    length of a text.

    BadInput, which names the model, if answers could not be ended or encoded, or if their scores
    would differ from those that the model itself computes.
    """
    if tokenizer.eos_token_id is None:
        tokenizer.eos_token = _configured_end(tokenizer, model)  # chat templates may use it
    closing = _closing(tokenizer, name)
    if tokenizer.eos_token_id is None:
        if closing is None:
            raise BadInput(
                f"model {name}: neither tokenizer, chat template nor configuration names an end "
                "token; set `eos_token` "
                "in tokenizer_config.json or `eos_token_id` in config.json"
            )
        tokenizer.eos_token = tokenizer.convert_ids_to_tokens(closing)
        forget_template(tokenizer)
    rows = model.get_input_embeddings().num_embeddings
    for token in (closing, tokenizer.eos_token_id):
        if token is not None and token >= rows:
            raise BadInput(
                f"model {name}: the end token {token} is not among its {rows} embeddings"
            )
    if beyond := [i for i in range(rows, len(tokenizer)) if i != tokenizer.pad_token_id]:
        token = tokenizer.convert_ids_to_tokens(beyond[0])
        raise BadInput(
            f"model {name}: its tokenizer has tokens without embeddings: {token!r} has "
            f"id {beyond[0]}, but there are only {rows} embeddings"
        )
    if tokenizer.pad_token_id is None or tokenizer.pad_token_id >= rows:
        tokenizer.pad_token = tokenizer.eos_token  # padding is masked: any token will do
    tokenizer.model_max_length = position_limit(model) or tokenizer.model_max_length
    check_scoring(model, tokenizer, name)


def _configured_end(tokenizer: Any, model: Any) -> str | None:
    """The first end token in the model's generation configuration that the tokenizer has."""
    named = model.generation_config.eos_token_id
    candidates = named if isinstance(named, list) else [named]
    tokens = (
        tokenizer.convert_ids_to_tokens(i)
        for i in candidates
        if i is not None and 0 <= i < len(tokenizer)
    )
    return next((token for token in tokens if token is not None), None)


def _closing(tokenizer: Any, name: str) -> int | None:
    """The token that closes an assistant's message, None if there is none; BadInput if the template
    cannot render a conversation.
    """
    try:
        encode_prompt(PROBES[0].asked, tokenizer)
        return closing_id(tokenizer)
    except Exception as error:  # templates are programs and can raise anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BadInput(
            f"model {name}: its chat template cannot write a question and its answer: {reason}"
        ) from None


def position_limit(model: Any) -> int | None:
    """The number of token positions of the model; None if its configuration names no limit."""
    config = model.config.get_text_config(decoder=True)
    return next(
        (value for name in LIMITS if isinstance(value := getattr(config, name, None), int)), None
    )


@torch.inference_mode()
def check_scoring(model: Any, tokenizer: Any, name: str) -> None:
    """BadInput if the suite's scoring pass differs too much from the model's plain forward pass."""
    try:
        batch = collate(PROBES, tokenizer, model)
        logprobs = _logprobs(answer_logits(model, batch), batch.targets)
        plain = torch.cat([_plainly(model, tokenizer, pair) for pair in PROBES])
        apart = (logprobs - plain).abs().max().item()
    except Exception as error:  # an unsupported architecture can raise anything
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise BadInput(
            f"model {name}: {model.config.model_type} models cannot be scored: {reason}"
        ) from None
    tolerance = TOLERANCES[model.dtype]
    if not apart <= tolerance:
        raise BadInput(
            f"model {name}: the scoring pass and the model's own forward pass differ by "
            f"{apart:.2g} nats on a short "
            f"text ({model.config.model_type}); at most {tolerance:g} is allowed"
        )


def _plainly(model: Any, tokenizer: Any, pair: Pair) -> torch.Tensor:
    """(T,) log-probabilities of one answer, by the model's forward pass on the whole sequence,
    unbatched.
    """
    single = collate([pair], tokenizer)
    ids = single.input_ids.to(model.device)
    return _logprobs(
        single.select(model(input_ids=ids, use_cache=False).logits), single.targets.to(model.device)
    )


def _logprobs(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return logits.float().log_softmax(-1).gather(-1, targets.to(logits.device)[:, None])[:, 0].cpu()


def check_complete(missing: Collection[str], name: str) -> None:
    """BadInput if weights were not in the files: they would be random, which looks like perfect
    unlearning.
    """
    if missing:
        raise BadInput(
            f"model {name}: {len(missing)} weights are not in its files, first {min(missing)}"
        )


def check_weights(model: Any, name: str) -> None:
    """BadInput that names the first tensor with NaN or infinite values."""
    for key, tensor in model.state_dict().items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            broken = tensor.numel() - int(torch.isfinite(tensor).sum())
            raise BadInput(
                f"model {name}: {key} has {broken} NaN or infinite values of {tensor.numel()}"
            )
