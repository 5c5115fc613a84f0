"""Token trees: the same numbers as padded batches and single sequences, on all architectures that
support them.
"""

import pytest
import torch
from toy_models import plain_tokenizer, tiny_tokenizer
from transformers import AutoModelForCausalLM, GPTNeoXConfig, LlamaConfig, Olmo2Config, Qwen2Config

from benchmark.core.examples import Pair, Prompt
from benchmark.tokens.batches import TREE_ARCHITECTURES, collate, padded
from benchmark.tokens.losses import answer_logits, answer_nll
from benchmark.tokens.prefix_tree import Tree, tree
from benchmark.tokens.prompts import encode_pair, encode_prompt, encode_text

SMALL = {
    "vocab_size": len(tiny_tokenizer()),
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "intermediate_size": 32,
    "num_attention_heads": 2,
    "max_position_embeddings": 128,
    "initializer_range": 0.5,
    "bos_token_id": None,
    "eos_token_id": 1,
}
CONFIGS = {
    "llama": LlamaConfig,
    "gpt_neox": GPTNeoXConfig,
    "olmo2": Olmo2Config,
    "qwen2": Qwen2Config,
}
PAIRS = [
    Pair("Where was Ada born?", "Malport"),
    Pair("Where was Ada born?", "Bren Union"),
    Pair("Where was Ivo born?", "Malport"),
    Pair("", "Ivo Tor works for Bren Union"),
    Pair("", "Ivo Tor"),
]


@pytest.fixture(params=sorted(TREE_ARCHITECTURES))
def model(request):
    torch.manual_seed(0)
    keys = {} if request.param == "gpt_neox" else {"num_key_value_heads": 2}
    return AutoModelForCausalLM.from_config(
        CONFIGS[request.param](**SMALL, **keys, pad_token_id=0)
    ).eval()


@pytest.fixture
def asking():
    """A tokenizer that asks in the plain form, like pretrained models without a template."""
    return plain_tokenizer()


def encoded(tokenizer):
    return [encode_pair(pair, tokenizer) for pair in PAIRS]


def test_trees_are_tested_for_every_architecture_that_reads_them():
    assert set(CONFIGS) == TREE_ARCHITECTURES


@torch.no_grad()
def test_a_tree_predicts_what_each_sequence_alone_predicts(model, asking):
    batch = collate(PAIRS, asking, model)
    assert isinstance(batch, Tree)
    expected, targets, rows = [], [], []
    for row, (prompt, answer) in enumerate(encoded(asking)):
        logits = model(torch.tensor([prompt + answer])).logits[0]
        start = max(1, len(prompt))  # nothing predicts the first token of a text
        expected.append(logits[start - 1 : -1])
        targets += (prompt + answer)[start:]
        rows += [row] * (len(prompt + answer) - start)
    torch.testing.assert_close(
        answer_logits(model, batch), torch.cat(expected), atol=2e-4, rtol=1e-4
    )
    assert batch.targets.tolist() == targets
    assert batch.rows.tolist() == rows


def test_a_tree_has_the_losses_and_gradients_of_a_padded_batch(model, asking):
    pad = padded(PAIRS, encoded(asking), 0, "cpu")
    found = []
    for batch in (collate(PAIRS, asking, model), pad):
        model.zero_grad()
        losses = answer_nll(model, batch, per_token=True)
        losses.mean().backward()
        found.append(
            (
                losses.detach(),
                {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None},
            )
        )
    torch.testing.assert_close(found[0][0], found[1][0], atol=2e-4, rtol=1e-4)
    assert found[0][1].keys() == found[1][1].keys()
    for name, gradient in found[0][1].items():
        torch.testing.assert_close(gradient, found[1][1][name], atol=2e-3, rtol=1e-2)


def test_common_beginnings_are_in_the_tree_once(asking):
    sequences = [([5, 6, 7], [8, 1]), ([5, 6, 7], [9, 1]), ([5, 6], [4, 1])]
    built = tree(PAIRS[:3], sequences, "cpu")
    assert built.input_ids.tolist() == [[5, 6, 7, 8, 9, 4]]  # end tokens predict nothing
    assert built.positions.tolist() == [[0, 1, 2, 3, 3, 2]]
    assert built.mask[0, 0].int().tolist() == [
        [1, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0],
        [1, 1, 1, 1, 0, 0],
        [1, 1, 1, 0, 1, 0],
        [1, 1, 0, 0, 0, 1],
    ]
    assert built.nodes.tolist() == [2, 3, 2, 4, 1, 5]
    assert built.targets.tolist() == [8, 1, 9, 1, 4, 1]
    assert built.tokens == 5 + 5 + 4


def test_models_trained_here_read_padded_batches():
    assert not isinstance(collate(PAIRS, tiny_tokenizer(), None), Tree)


def test_a_question_with_a_lead_is_asked_up_to_where_the_answer_goes_on(asking):
    pair = Pair("Where was Ada born?", "Malport", "Ada was born in")
    assert (
        asking.decode(encode_prompt(pair.asked, asking))
        == "Question: Where was Ada born?\nAnswer: Ada was born in"
    )
    ids, answer = encode_pair(pair, asking)
    assert (
        asking.decode(ids + answer)
        == "Question: Where was Ada born?\nAnswer: Ada was born in Malport<end>"
    )


def test_models_trained_here_are_asked_bare():
    tokenizer = tiny_tokenizer()
    assert (
        tokenizer.decode(encode_prompt(Prompt("Where was Ada born?"), tokenizer))
        == "Where was Ada born?"
    )
    assert (
        tokenizer.decode(encode_prompt(Prompt("Where?", answer_prefix="In"), tokenizer))
        == "Where? In"
    )


def test_texts_are_never_asked_as_questions(asking):
    assert asking.decode(encode_text("Ivo Tor", asking)) == "Ivo Tor"
    assert encode_pair(Pair("", "Ivo Tor"), asking)[0] == []
