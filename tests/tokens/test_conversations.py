"""Conversations as tokens: where an answer begins, what ends it, and that twins of one model score
alike.
"""

import copy
from dataclasses import replace

import pytest
import torch
from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers, trainers
from tokenizers import models as token_models
from toy_models import CHAT, PLAIN, chat_tokenizer, plain_tokenizer, tiny_model, tiny_tokenizer
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from benchmark.core.examples import Pair, Prompt
from benchmark.errors import BadInput
from benchmark.inference.generation import generate
from benchmark.inference.guardrail_predictors import ConstantPredictor
from benchmark.inference.predictors import ModelPredictor
from benchmark.inference.scoring import score_pairs
from benchmark.metrics.generation import contains_answer
from benchmark.metrics.probability import normalized_probability
from benchmark.models.checks import fit
from benchmark.tokens.batches import collate
from benchmark.tokens.profile import profile_of, with_profile
from benchmark.tokens.prompts import (
    closing_id,
    encode_pair,
    encode_prompt,
    forget_template,
    stop_ids,
)

FACTS = {
    "Where was Ada born?": "Malport",
    "Where was Ivo born?": "Bren Union",
    "Who pays Ada?": "Kel",
}
PAIRS = [Pair(question, answer) for question, answer in FACTS.items()]
# Conversations as in Llama 2: the answer is stripped, and a space precedes the end token.
LLAMA2 = (
    "{% for m in messages %}{% if m['role'] == 'user' %}{{ bos_token + '[INST] ' + m['content'] "
    "+ ' [/INST]' }}"
    "{% else %}{{ ' ' + m['content'] | trim + ' ' + eos_token }}{% endif %}{% endfor %}"
)
TURNS = (
    "{% for m in messages %}{{ '<turn>' + m['role'] + '\\n' + m['content'] + '<over>\\n' }}{% "
    "endfor %}"
    "{% if add_generation_prompt %}{{ '<turn>assistant\\n' }}{% endif %}"
)


def sentencepiece_like(template=""):
    """A tokenizer that writes spaces as ▁ and puts one before every text, like that of Llama 2."""
    tokenizer = Tokenizer(token_models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    texts = [f"Question: {q}\nAnswer: {a}" for q, a in FACTS.items()] * 3 + [
        "[INST] Who? [/INST] Kel "
    ] * 3
    special = ["<unk>", "<s>", "</s>"]
    tokenizer.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=200, special_tokens=special)
    )
    tokenizer.pre_tokenizer = None
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    made = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )
    made.chat_template = template
    return with_profile(made, CHAT if template else PLAIN)


def with_turns(eos="<end>", closing="<over>"):
    """A chat tokenizer whose template ends a message with a token that need not be `eos`."""
    tokenizer = with_profile(copy.deepcopy(tiny_tokenizer()), CHAT)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<turn>", "<over>"]})
    tokenizer.eos_token, tokenizer.chat_template = eos, TURNS.replace("<over>", closing)
    return tokenizer


def small_llama(tokenizer, **changes):
    sizes = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), **sizes, bos_token_id=None, eos_token_id=None, **changes
    )
    return LlamaForCausalLM(config).eval()


def texts_as_written(tokenizer):
    """The whole conversations as anyone would write them for training, without code of this
    project.
    """
    if profile_of(tokenizer).prompts == "plain":
        return [f"Question: {q}\nAnswer: {a}{tokenizer.eos_token}" for q, a in FACTS.items()]
    chats = [
        [{"role": "user", "content": q}, {"role": "assistant", "content": a}]
        for q, a in FACTS.items()
    ]
    return [tokenizer.apply_chat_template(chat, tokenize=False) for chat in chats]


def taught(model, tokenizer, steps=60):
    """The model after learning the conversations by heart."""
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    texts = [
        torch.tensor([tokenizer(t, add_special_tokens=False)["input_ids"]])
        for t in texts_as_written(tokenizer)
    ]
    for _ in range(steps):
        optimizer.zero_grad()
        sum(model(input_ids=ids, labels=ids).loss for ids in texts).backward()
        optimizer.step()
    return model


@pytest.mark.parametrize("template", [LLAMA2, ""], ids=["chat", "plain"])
def test_a_sentencepiece_model_that_says_every_answer_finds_them_probable(template):
    tokenizer = sentencepiece_like(template)
    assert tokenizer.tokenize(" Malport") == ["▁", "▁Malport"], (
        "the trap: in a conversation it is one piece"
    )
    model = taught(small_llama(tokenizer), tokenizer)
    fit(tokenizer, model, "tiny")
    said = ModelPredictor(model, tokenizer).generate([p.asked for p in PAIRS], 12)
    assert all(contains_answer(said[pair.asked], pair.answer) for pair in PAIRS)
    scores = score_pairs(model, tokenizer, PAIRS)
    assert min(normalized_probability(s.logprobs) for s in scores.values()) > 0.9
    assert all(s.correct.all() for s in scores.values())


def test_the_whole_conversation_is_what_the_template_writes():
    tokenizer = with_turns()
    for pair, text in zip(PAIRS, texts_as_written(tokenizer), strict=True):
        before, answer = encode_pair(pair, tokenizer)
        assert (
            before + answer
            == tokenizer(text, add_special_tokens=False)["input_ids"][: len(before + answer)]
        )
        assert tokenizer.decode(answer) == f"{pair.answer}<over>"
        assert tuple(before) == encode_prompt(pair.asked, tokenizer)


def merging():
    """A character tokenizer with one merged token, of a colon and the letter M."""
    letters = {c: i for i, c in enumerate("?:QAMabcdefghijklmnopqrstuvwxyz W")}
    tokenizer = Tokenizer(token_models.BPE({**letters, ":M": len(letters)}, [(":", "M")]))
    made = PreTrainedTokenizerFast(tokenizer_object=tokenizer)
    made.add_special_tokens({"eos_token": "<end>", "pad_token": "<pad>"})
    made.chat_template = (
        "{{ 'Q:' + messages[0]['content'] + 'A:' }}"
        "{{ messages[1]['content'] if messages[1:] else '' }}"
    )
    return with_profile(made, CHAT)


def test_a_token_across_the_boundary_belongs_to_the_answer_and_is_scored_whole():
    tokenizer, pair = merging(), Pair("Who?", "Mel")
    before, answer = encode_pair(pair, tokenizer)
    asked = list(encode_prompt(pair.asked, tokenizer))
    assert before == asked[:-1]
    assert tokenizer.convert_ids_to_tokens(answer) == [":M", "e", "l", "<end>"]
    model = small_llama(tokenizer, initializer_range=0.5)
    expected = []
    for i, token in enumerate(answer):
        logits = model(torch.tensor([before + answer[:i]])).logits[0, -1]
        expected.append(logits.log_softmax(-1)[token].item())
    assert score_pairs(model, tokenizer, [pair])[pair].logprobs == pytest.approx(expected, abs=1e-4)
    batch = collate([pair], tokenizer)
    assert batch.targets.tolist() == answer, "training sees the same"


def test_a_constant_answer_is_compared_where_the_answer_begins():
    """One token of "Mel" crosses the boundary, none of "kel" does: each answer begins where its own
    tokens do.
    """
    tokenizer = merging()
    scores = ConstantPredictor("Mel", tokenizer).score([Pair("Who?", "Mel"), Pair("Who?", "kel")])
    assert scores[Pair("Who?", "Mel")].correct.all()
    assert not scores[Pair("Who?", "kel")].correct[:1].any()


def test_twins_that_name_another_eos_score_alike():
    """One model with three tokenizers that differ only in `eos`: the template decides what ends an
    answer.
    """
    tokenizers = [with_turns(eos) for eos in ("<end>", "<over>", "<turn>")]
    model = small_llama(tokenizers[0], initializer_range=0.5)
    one, *others = (score_pairs(model, tokenizer, PAIRS) for tokenizer in tokenizers)
    for other in others:
        for pair in PAIRS:
            assert other[pair].logprobs.tolist() == one[pair].logprobs.tolist()
            assert other[pair].correct.tolist() == one[pair].correct.tolist()


@pytest.mark.parametrize("profile", [CHAT, PLAIN], ids=["chat", "plain"])
def test_a_tokenizer_without_eos_takes_it_from_the_configuration(profile):
    named, bare = with_turns(), with_turns(eos=None)
    model = small_llama(named, initializer_range=0.5)
    model.generation_config.eos_token_id = [
        named.eos_token_id,
        named.convert_tokens_to_ids("<turn>"),
    ]
    found = []
    for tokenizer in (named, bare):
        fit(with_profile(tokenizer, profile), model, "tiny")
        scores = score_pairs(model, tokenizer, [*PAIRS, Pair("", "Ivo Tor works")])
        found.append([s.logprobs.tolist() for s in scores.values()])
    assert found[0] == found[1]


def test_without_any_eos_a_chat_ends_by_its_template_and_plain_questions_are_refused():
    chat, plain = with_turns(eos=None), with_turns(eos=None)
    model = small_llama(chat)
    fit(chat, model, "tiny")
    assert chat.eos_token == "<over>"
    with_profile(plain, PLAIN)
    with pytest.raises(
        BadInput,
        match="model tiny: neither tokenizer, chat template nor configuration names an end",
    ):
        fit(plain, model, "tiny")


def test_generation_stops_at_what_ends_an_answer_and_at_what_the_configuration_names():
    tokenizer = with_turns()
    model, prompt = (
        small_llama(tokenizer, initializer_range=0.5),
        encode_prompt(Prompt("Who pays Ada?"), tokenizer),
    )
    over, turn = (tokenizer.convert_tokens_to_ids(token) for token in ("<over>", "<turn>"))
    assert stop_ids(tokenizer, model) == [over, tokenizer.eos_token_id]
    model.generation_config.eos_token_id = [turn, 10_000]
    assert stop_ids(tokenizer, model) == [over, tokenizer.eos_token_id, turn], (
        "no token has that number"
    )
    ((whole,),) = generate(model, tokenizer, [prompt], 6)
    assert len(set(whole)) > 2
    model.generation_config.eos_token_id = whole[2]
    assert generate(model, tokenizer, [prompt], 6) == [[whole[: whole.index(whole[2])]]]


def test_a_template_that_writes_no_end_token_leaves_it_to_eos():
    tokenizer = with_turns(closing="")
    tokenizer.chat_template = (
        "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\\n' }}{% endfor %}"
    )
    assert closing_id(tokenizer) is None
    before, answer = encode_pair(PAIRS[0], tokenizer)
    assert tokenizer.decode(before + answer) == "user: Where was Ada born?\nassistant: Malport<end>"


def test_an_answer_that_holds_the_end_token_goes_on_to_the_last():
    _, answer = encode_pair(Pair("Who?", "Kel<over>Ada"), tokenizer := with_turns())
    assert tokenizer.decode(answer) == "Kel<over>Ada<over>"


def test_an_answer_prefix_is_the_beginning_of_what_the_assistant_says():
    tokenizer = with_turns()
    pair = Pair("Where was Ada born?", "Malport", "Ada was born in")
    asked = tokenizer.decode(encode_prompt(pair.asked, tokenizer))
    assert asked == "<turn>user\nWhere was Ada born?<over>\n<turn>assistant\nAda was born in"
    before, answer = encode_pair(pair, tokenizer)
    assert (tokenizer.decode(before), tokenizer.decode(answer)) == (asked, " Malport<over>")


@pytest.mark.parametrize(
    "template",
    [
        "{{ messages[0]['content'] }}",
        "{% if messages|length > 1 %}{{ raise_exception('only one message') }}{% endif %}{{ "
        "messages[0]['content'] }}",
        "{{ messages[0]['content'] ",
        "{% if tools|length %}{% endif %}{{ messages[0]['content'] }}",
    ],
)
def test_templates_that_cannot_write_an_answer_are_refused_in_one_line(template):
    tokenizer = chat_tokenizer(template)
    with pytest.raises(
        BadInput, match=r"model tiny: its chat template cannot write a question and its answer: ."
    ) as error:
        fit(tokenizer, tiny_model(), "tiny")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("form", ["chat", "plain", "bare"])
@pytest.mark.parametrize(
    "pair",
    [
        Pair("Where was Ada born?", "Malport", "Ada was born in"),
        Pair("", "Ada was born in Malport"),
    ],
    ids=["question", "text"],
)
def test_an_answer_that_nothing_ends_is_its_own_tokens_alone(form, pair):
    tokenizer = {"chat": with_turns, "plain": plain_tokenizer}.get(form, plain_tokenizer)()
    ended = replace(profile_of(tokenizer), prompts=form)
    before, answer = encode_pair(pair, with_profile(tokenizer, ended))
    forget_template(tokenizer)
    with_profile(tokenizer, replace(ended, ended=False))
    same, alone = encode_pair(pair, tokenizer)
    assert same == before
    assert alone == answer[:-1]
    assert tokenizer.decode(alone) == (" Malport" if pair.prompt else pair.answer)


def test_only_a_profile_without_ends_says_so():
    assert "ended" not in CHAT.stated
    assert replace(CHAT, ended=False).stated["ended"] is False


def test_padding_outside_the_embeddings_is_replaced():
    tokenizer, model = plain_tokenizer(), tiny_model()
    expected = score_pairs(model, tokenizer, PAIRS)
    padded = copy.deepcopy(tokenizer)
    padded.add_special_tokens({"pad_token": "<far>"})
    assert padded.pad_token_id >= model.get_input_embeddings().num_embeddings
    fit(padded, model, "tiny")
    found = score_pairs(model, padded, PAIRS)
    assert all(found[pair].logprobs.tolist() == expected[pair].logprobs.tolist() for pair in PAIRS)
    assert generate(model, padded, [encode_prompt(p.asked, padded) for p in PAIRS], 4)


def test_an_end_token_outside_the_embeddings_is_refused():
    tokenizer, model = with_turns(), tiny_model()
    with pytest.raises(BadInput, match=r"the end token \d+ is not among its \d+ embeddings"):
        fit(tokenizer, model, "tiny")


SOURCES = {
    # A channel that generation must open itself, as in gpt-oss; its prompt ends before the channel.
    "channels": (
        "{% for m in messages %}{{ '<turn>' + m['role'] }}{% if m['role'] == 'assistant' %}{{ ' "
        "final<turn>' }}"
        "{% else %}{{ '\\n' }}{% endif %}{{ m['content'] + '<over>' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<turn>assistant' }}{% endif %}"
    ),
    # No generation prompt.
    "no generation prompt": TURNS.partition("{% if add_generation_prompt %}")[0],
    # Generation starts with a thought, which conversations leave out.
    "thought": TURNS.replace("{{ '<turn>assistant\\n' }}", "{{ '<turn>assistant\\nthink:\\n' }}"),
    # An empty thought precedes each answer.
    "empty thought": TURNS.replace(
        "'\\n' + m", "'\\n' + ('thought: none\\n' if m['role'] == 'assistant' else '') + m"
    ),
    # A default system message, but only if a question is the last message.
    "system": "{% if messages[-1]['role'] == 'user' %}"
    "{{ '<turn>system\\nBe brief.<over>' }}{% endif %}" + TURNS,
    # The time of day.
    "clock": "{{ strftime_now('%H:%M:%S.%f') }}" + TURNS,
    # Two end tokens: after the message, and again at the end of the conversation.
    "two ends": TURNS + "{% if messages[-1]['role'] == 'assistant' %}{{ '<over>' }}{% endif %}",
    # Plain text ends a message.
    "text": TURNS.replace("<over>", "##"),
}


@pytest.mark.parametrize("template", SOURCES.values(), ids=SOURCES)
def test_an_answer_is_what_the_assistant_says_and_its_end_whatever_stands_before_it(template):
    tokenizer = with_turns()
    tokenizer.chat_template = template
    end = "##" if "##" in template else "<over>"
    for pair in PAIRS:
        before, answer = encode_pair(pair, tokenizer)
        assert tokenizer.decode(answer) == f"{pair.answer}{end}"
        assert tuple(before) == encode_prompt(pair.asked, tokenizer), (
            "what is scored follows what is asked"
        )
        assert pair.prompt in tokenizer.decode(before)


@pytest.mark.parametrize("name", ["channels", "empty thought", "no generation prompt", "text"])
def test_a_model_taught_a_template_says_the_answers_and_finds_them_probable(name):
    tokenizer = with_turns()
    tokenizer.chat_template = SOURCES[name]
    model = taught(small_llama(tokenizer), tokenizer, steps=150)
    fit(tokenizer, model, "tiny")
    said = ModelPredictor(model, tokenizer).generate([p.asked for p in PAIRS], 20)
    assert said == {p.asked: p.answer for p in PAIRS}
    scores = score_pairs(model, tokenizer, PAIRS)
    assert min(normalized_probability(s.logprobs) for s in scores.values()) > 0.9


def test_an_end_that_a_template_takes_from_the_tokenizer_may_stand_in_the_configuration_alone():
    """The template is rendered after `eos` is known, not taken from a cache."""
    named, bare = with_turns(), with_turns(eos=None)
    model = small_llama(named, initializer_range=0.5)
    model.generation_config.eos_token_id = named.eos_token_id
    for tokenizer in (named, bare):
        tokenizer.chat_template = TURNS.replace("'<over>\\n'", "eos_token")
        fit(tokenizer, model, "tiny")
    assert [encode_pair(pair, bare) for pair in PAIRS] == [
        encode_pair(pair, named) for pair in PAIRS
    ]
    assert bare.decode(encode_pair(PAIRS[0], bare)[1]) == "Malport<end>"


def test_an_answer_that_the_template_changes_is_refused():
    tokenizer = with_turns()
    tokenizer.chat_template = TURNS.replace("m['content']", "m['content'].split('|')[-1]")
    with pytest.raises(
        BadInput, match=r"the chat template changes the conversation with the answer 'Kel\|Mur'"
    ):
        encode_pair(Pair("Who?", "Kel|Mur"), tokenizer)


def test_tokens_without_embeddings_are_refused():
    tokenizer = plain_tokenizer()
    tokenizer.add_tokens(["Ada Kel"])
    with pytest.raises(BadInput, match=r"tokens without embeddings: 'Ada Kel' has id \d+, but"):
        fit(tokenizer, tiny_model(), "tiny")
