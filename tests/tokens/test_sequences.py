"""Answer likelihoods: masks and shifts must not be off by one."""

import pytest
import torch
from toy_models import tiny_model, tiny_tokenizer

from benchmark.core.examples import Pair
from benchmark.tokens.batches import IGNORED, collate
from benchmark.tokens.losses import answer_nll
from benchmark.tokens.prompts import encode_pair

PAIRS = [
    Pair("Question: Where was Ada Kel born? Answer:", "Malport"),
    Pair("Ivo", "Bren Union"),
    Pair("Ivo Tor works for", "x"),
]


def naive_nll(model, tokenizer, pair):
    """(negative log-likelihood, number of answer tokens), computed token by token from the
    definition.
    """
    prompt, answer = encode_pair(pair, tokenizer)
    total = 0.0
    for i, token in enumerate(answer):
        logits = model(torch.tensor([prompt + answer[:i]])).logits[0, -1]
        total -= float(logits.log_softmax(-1)[token])
    return total, len(answer)


def test_the_answer_ends_with_the_end_token_and_prompt_and_padding_are_masked():
    tokenizer = tiny_tokenizer()
    batch = collate(PAIRS, tokenizer)
    for row, pair in enumerate(PAIRS):
        prompt, answer = encode_pair(pair, tokenizer)
        assert answer[-1] == tokenizer.eos_token_id
        assert tokenizer.decode(prompt + answer[:-1]) == f"{pair.prompt} {pair.answer}"
        assert batch.labels[row, : len(prompt)].eq(IGNORED).all()
        assert batch.labels[row, len(prompt) : len(prompt) + len(answer)].tolist() == answer
        assert batch.labels[row, len(prompt) + len(answer) :].eq(IGNORED).all()
    assert batch.tokens == sum(
        len(p) + len(a) for p, a in (encode_pair(q, tokenizer) for q in PAIRS)
    )


@torch.no_grad()
def test_nll_equals_token_by_token_computation_whatever_the_padding():
    model, tokenizer = tiny_model(), tiny_tokenizer()
    batch = collate(PAIRS, tokenizer)
    naive = [naive_nll(model, tokenizer, pair) for pair in PAIRS]
    torch.testing.assert_close(
        answer_nll(model, batch), torch.tensor([n for n, _ in naive]), rtol=1e-4, atol=1e-4
    )
    means = torch.tensor([n / t for n, t in naive])
    torch.testing.assert_close(
        answer_nll(model, batch, per_token=True), means, rtol=1e-4, atol=1e-4
    )


@torch.no_grad()
def test_nll_agrees_with_transformers_own_loss():
    model, tokenizer = tiny_model(), tiny_tokenizer()
    batch = collate(PAIRS[:1], tokenizer)
    loss = model(
        input_ids=batch.input_ids, attention_mask=batch.attention_mask, labels=batch.labels
    ).loss
    torch.testing.assert_close(answer_nll(model, batch, per_token=True)[0], loss)


@torch.no_grad()
def test_text_without_a_prompt_is_scored_from_its_second_token():
    model, tokenizer = tiny_model(), tiny_tokenizer()
    batch = collate([Pair("", "Bren Union")], tokenizer)
    tokens = batch.input_ids[0]
    logprobs = model(tokens[None]).logits[0].log_softmax(-1)
    expected = -sum(float(logprobs[i, tokens[i + 1]]) for i in range(len(tokens) - 1))
    assert float(answer_nll(model, batch)) == pytest.approx(expected, rel=1e-4)


def test_an_empty_answer_is_an_error():
    with pytest.raises(ValueError, match="is empty"):
        collate([Pair("Q?", "")], tiny_tokenizer())
