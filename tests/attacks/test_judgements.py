"""Judges of generated answers: embeddings of a real model, labels of a tiny one."""

import importlib.util

import pytest
import torch
from toy_models import tiny_tokenizer
from transformers import BertConfig, BertForSequenceClassification

from benchmark.attacks import judgements
from benchmark.attacks.judgements import EMBEDDINGS, embeddings
from benchmark.core.examples import Example
from benchmark.core.registry import attack_of
from benchmark.errors import BadInput

needs_embeddings = pytest.mark.skipif(
    importlib.util.find_spec(EMBEDDINGS) is None, reason=f"{EMBEDDINGS} is not installed"
)
EXAMPLES = [
    Example("a", "a", "Where was Ada born?", "Oslo", paraphrases=("Ada's birthplace?", "Whence?")),
    Example("b", "b", "What did Bo write?", "He wrote novels about the sea."),
]
SAYS = {
    "Ada's birthplace?": "Oslo",
    "Whence?": "",
    "What did Bo write?": "His books are stories of sailors and oceans.",
}


class Says:
    """A predictor that returns fixed answers and checks `max_new_tokens`."""

    def generate(self, prompts, max_new_tokens):
        assert max_new_tokens == 7
        return {prompt: SAYS[prompt.text] for prompt in prompts}


def judged(name, examples=EXAMPLES, **parameters):
    attack = attack_of({"name": name, "max_new_tokens": 7, **parameters})
    return attack.measured(Says(), None, attack.scored(examples))


@needs_embeddings
def test_similar_sentences_are_near_and_silence_is_not():
    text = Example("t", "t", "", "A text.")
    one, other = judged("cosine_similarity", [*EXAMPLES, text])
    assert one == pytest.approx((1 + 0) / 2, abs=1e-5)
    assert 0.4 < other < 0.95


@needs_embeddings
def test_embeddings_do_not_depend_on_their_neighbours_and_have_unit_length():
    texts = ["Oslo", "He wrote novels about the sea, and never of the land.", "a"]
    together, alone = embeddings(texts), torch.cat([embeddings([text]) for text in texts])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(together.norm(dim=1), torch.ones(3))


@needs_embeddings
def test_an_embedding_is_the_mean_of_the_last_states():
    tokenizer, model = judgements.embedder()
    states = model(**tokenizer("Oslo", return_tensors="pt")).last_hidden_state[0]
    mean = states.mean(0).detach()
    torch.testing.assert_close(embeddings(["Oslo"])[0], mean / mean.norm(), atol=1e-5, rtol=1e-4)


def test_without_the_package_it_is_not_available(monkeypatch):
    monkeypatch.setattr(judgements, "find_spec", lambda name: None)
    assert not attack_of({"name": "cosine_similarity", "max_new_tokens": 7}).is_available()
    judgements.embedder.cache_clear()
    with pytest.raises(BadInput, match="judges"):
        judgements.embedder()


def nli_folder(folder, labels):
    """The folder of a tiny, untrained classifier of text pairs."""
    tokenizer = tiny_tokenizer()
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        id2label=dict(enumerate(labels)),
        initializer_range=1.0,
    )
    torch.manual_seed(0)
    BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def test_entailment_is_the_share_of_that_label(tmp_path):
    folder = nli_folder(tmp_path, ["neutral", "Entailment", "contradiction"])
    assert attack_of({"name": "entailment", "max_new_tokens": 7, "model": folder}).is_available()
    judge = BertForSequenceClassification.from_pretrained(folder).eval()
    read = [("Oslo", "Oslo"), ("", "Oslo"), (SAYS["What did Bo write?"], EXAMPLES[1].answer)]
    verdicts = []
    for said, right in read:
        given = tiny_tokenizer()(said, right, return_tensors="pt")
        verdicts.append(int(judge(**given).logits.argmax()) == 1)
    expected = [sum(verdicts[:2]) / 2, float(verdicts[2])]
    assert judged("entailment", model=folder) == expected


def test_a_judge_that_is_not_at_hand_is_not_asked_and_one_without_the_label_is_refused(tmp_path):
    missing = attack_of({"name": "entailment", "max_new_tokens": 7, "model": "nobody/nothing"})
    assert not missing.is_available()
    folder = nli_folder(tmp_path, ["yes", "no"])
    with pytest.raises(BadInput, match="no label entailment, but yes, no"):
        judged("entailment", model=folder)
