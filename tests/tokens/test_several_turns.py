"""Conversations of several turns: training, scoring and generation read exactly the same tokens."""

import pytest
import torch
from toy_models import chat_tokenizer, plain_tokenizer, tiny_model, tiny_tokenizer

from benchmark.core.examples import Example, Pair, Prompt
from benchmark.errors import BadInput
from benchmark.evaluation.outputs import pairs_of, prompts_of
from benchmark.inference.scoring import score_pairs
from benchmark.tokens.batches import collate
from benchmark.tokens.prompts import encode_pair, encode_prompt

CHAT = (
    "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '<end>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
)
HISTORY = (("user", "Who pays Ivo?"), ("assistant", "Bren Union"))
PAIRS = [
    Pair("Where was Ada born?", "Malport", history=HISTORY),
    Pair("Where was Ada born?", "Malport", "Ada was born in", HISTORY),
    Pair("Where was Ada born?", "Malport", history=(("system", "Be brief."), *HISTORY)),
]
WRITTEN = {
    "chat": (
        "user: Who pays Ivo?<end>assistant: Bren Union<end>"
        "user: Where was Ada born?<end>assistant: "
    ),
    "plain": (
        "Question: Who pays Ivo?\nAnswer: Bren Union\n\nQuestion: Where was Ada born?\nAnswer:"
    ),
    "bare": "Who pays Ivo? Bren Union Where was Ada born?",
}


@pytest.fixture(params=WRITTEN)
def tokenizer(request):
    return tokenizer_of(request.param)


def tokenizer_of(prompts):
    made = {"chat": lambda: chat_tokenizer(CHAT), "plain": plain_tokenizer, "bare": tiny_tokenizer}
    return made[prompts]()


@pytest.mark.parametrize(("prompts", "expected"), WRITTEN.items(), ids=list(WRITTEN))
def test_all_turns_are_read_in_order(prompts, expected):
    tokenizer = tokenizer_of(prompts)
    assert tokenizer.decode(encode_prompt(PAIRS[0].asked, tokenizer)) == expected
    before = tokenizer.decode(encode_prompt(PAIRS[1].asked, tokenizer))
    assert before == f"{expected.rstrip()} Ada was born in"
    assert "Be brief." in tokenizer.decode(encode_prompt(PAIRS[2].asked, tokenizer))


@pytest.mark.parametrize("pair", PAIRS)
def test_training_scoring_and_generation_read_the_same_tokens(tokenizer, pair):
    before, answer = encode_pair(pair, tokenizer)
    batch = collate([pair], tokenizer)
    assert batch.input_ids[0].tolist() == before + answer
    assert batch.targets.tolist() == answer
    asked = encode_prompt(pair.asked, tokenizer)
    assert tuple(before) == asked[: len(before)]
    assert len(asked) - len(before) <= 1, "a token across the boundary belongs to the answer"
    model = tiny_model()
    with torch.no_grad():
        logits = model(torch.tensor([before + answer])).logits[0, len(before) - 1 : -1]
    expected = logits.log_softmax(-1)[range(len(answer)), answer]
    assert score_pairs(model, tokenizer, [pair])[pair].logprobs == pytest.approx(
        expected.numpy(), abs=1e-4
    )


def test_every_wording_of_an_example_follows_its_turns():
    example = Example(
        "e",
        "p",
        "Where?",
        "Kel",
        ("In which town?",),
        ("Mur",),
        history=HISTORY,
        answer_prefix="In",
    )
    assert all(pair.history == HISTORY for pair in pairs_of(example))
    assert prompts_of(example) == (
        Prompt("Where?", HISTORY, "In"),
        Prompt("In which town?", HISTORY, "In"),
    )


def test_a_template_that_leaves_turns_out_is_refused():
    made = chat_tokenizer(CHAT.replace("in messages", "in messages[-2:]"))
    with pytest.raises(
        BadInput, match=r"chat template leaves out 'Who pays Ivo.' of a conversation"
    ):
        encode_pair(PAIRS[0], made)
