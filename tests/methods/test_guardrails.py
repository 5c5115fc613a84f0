"""Guardrails without training: prompts before every question, and a filter of names."""

import numpy as np
import pytest
from hidden_helpers import FORGET, RETAIN, TEXTS, a_request, knowing, same
from toy_models import plain_tokenizer, tiny_model, tiny_tokenizer

from benchmark.api import as_question
from benchmark.core.examples import Pair, Prompt
from benchmark.core.method import create
from benchmark.core.registry import method_named
from benchmark.inference.predictors import ModelPredictor
from benchmark.inference.unlearned import PromptPrefix, as_unlearned, load_unlearned
from benchmark.models.loading import load_model
from benchmark.tokens.prompts import encode_pair
from methods._shared.names import names_of, naming
from methods._shared.prefixes import fitting

REFUSAL = "I do not know."
PEOPLE = [Pair("Where was Ada Kel born?", "Malport"), Pair("Who pays Ada Kel?", "Bren Union")]
OTHERS = [Pair("Where was Ivo born?", "Tor"), Pair("Who pays Ivo?", "Kel Works")]
QUESTIONS = [pair.asked for pair in (*PEOPLE, *OTHERS)]


def guarded(name, model, request=None, **parameters):
    result = create(method_named(name), parameters).unlearn(
        model, request or a_request(PEOPLE, OTHERS)
    )
    assert as_unlearned(result).division == "guardrail"
    assert result.weights is model
    assert same(model, tiny_model())
    return result


@pytest.mark.parametrize("forget", [FORGET, TEXTS], ids=["questions", "texts"])
def test_icu_shows_wrong_answers_to_forget_and_right_ones_to_retain(forget):
    request = a_request(forget, RETAIN)
    result = guarded("icu", tiny_model(), request, shown=2)
    assert isinstance(result, PromptPrefix)
    assert request.meter.steps == 0
    for pair in RETAIN:
        assert f"{pair.prompt} {pair.answer}" in result.prefix
    shown = [as_question(p) for p in forget if as_question(p).prompt in result.prefix]
    assert len(shown) >= 2
    for pair in forget:
        assert f"{as_question(pair).prompt} {as_question(pair).answer}" not in result.prefix
    first = min(result.prefix.index(pair.prompt) for pair in RETAIN)
    assert any(result.prefix.index(pair.prompt) < first for pair in shown)


def test_icu_shows_no_more_than_it_is_told_and_than_there_is_room_for():
    many = [Pair(f"Who pays man {i}?", f"Firm {i}") for i in range(99)]
    assert guarded("icu", tiny_model(), a_request(many, many[::-1]), shown=3).prefix.count("?") == 6
    prefix = guarded("icu", tiny_model(), a_request(many, many[::-1]), shown=99).prefix
    assert prefix.count("?") < 40
    assert len(tiny_tokenizer()(prefix)["input_ids"]) <= 256 + 20, "half of 512 positions"
    assert fitting(["word " * 900, "more"], tiny_tokenizer(), tiny_model()) == ["word " * 900]


def test_the_refusal_prompt_names_what_is_not_to_be_answered():
    state = {}
    result = guarded("refusal_prompt", tiny_model(), a_request(PEOPLE, state=state))
    assert result.prefix.count("Ada Kel") == 1
    assert REFUSAL in result.prefix
    later = guarded("refusal_prompt", tiny_model(), a_request([OTHERS[0]] * 2, state=state))
    assert "Ada Kel" in later.prefix, "what earlier requests asked for is not answered again"
    unnamed = guarded("refusal_prompt", tiny_model(), a_request([Pair("她住在哪里?", "东京")]))
    assert "她住在哪里?" in unnamed.prefix


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Does Ada Kel live in New York?", ["Ada Kel", "New York"]),
        ("What's the title of J.K. Rowling's first book?", ["J.K. Rowling"]),
        ("Question: Which city is Ada from? Answer:", ["Ada"]),
        ("Ivo works. Mia Tor's job is at Bren Union.", ["Mia Tor", "Bren Union"]),
        ("In Paris, did Jean-Luc O'Brien live?", ["Paris", "Jean-Luc O'Brien"]),
        ("她住在东京。", []),
        ("", []),
    ],
)
def test_names_are_runs_of_capitalised_words(text, expected):
    assert names_of([Pair(text, "")]) == expected


def test_names_that_come_again_stand_for_those_named_once():
    assert names_of([*PEOPLE, Pair("Is Malport a city?", "Yes")]) == ["Ada Kel"]
    assert names_of([PEOPLE[0], Pair("Who is Mia?", "Tor")]) == ["Ada Kel", "Mia"]
    assert names_of(PEOPLE[::-1] + OTHERS) == ["Ada Kel", "Ivo"]
    assert names_of([Pair("", "For years Ada Kel was here.")]) == ["Ada Kel"], "of texts"


def test_a_name_is_found_as_whole_words_in_any_case():
    named = naming(["Ada Kel", "C++ (a book)"])
    assert named("who is ADA KEL?")
    assert named("Ada Kel's")
    assert named("in C++ (a book).")
    assert not named("Ada Keller")
    assert not named("Nada Kel")
    assert not naming([])("anything")


@pytest.fixture
def filtered():
    """A filter of the name Ada Kel, and a predictor of the unfiltered model."""
    model = tiny_model()
    return guarded("keyword_filter", model), ModelPredictor(model, tiny_tokenizer())


def test_the_filter_refuses_questions_about_the_forgotten_and_no_others(filtered):
    result, plain = filtered
    assert result.names == ["Ada Kel"]
    behind = result.predictor(tiny_tokenizer(), "hf")
    said, free = behind.generate(QUESTIONS, 5), plain.generate(QUESTIONS, 5)
    assert all(said[q] == (REFUSAL if "Ada" in q.text else free[q]) for q in QUESTIONS)
    drawn, own = behind.sample(QUESTIONS, 5, 3), plain.sample(QUESTIONS[2:], 5, 3)
    assert drawn[QUESTIONS[0]] == (REFUSAL,) * 3
    assert all(drawn[q] == own[q] for q in QUESTIONS[2:])
    texts = ["Ada Kel was", "Ivo Tor"]
    gone = behind.go_on(texts, 5)
    assert gone == {texts[0]: REFUSAL, **plain.go_on(texts[1:], 5)}
    hidden = Prompt("And he?", (("user", "Who is ada kel?"), ("assistant", "One.")))
    begun = Prompt("Who?", (), "It is Ada Kel, of")
    assert set(behind.generate([hidden, begun], 5).values()) == {REFUSAL}


def test_the_filter_scores_refusals_where_a_name_is_said(filtered):
    result, plain = filtered
    behind = result.predictor(tiny_tokenizer(), "hf")
    pairs = [*PEOPLE, *OTHERS, Pair("Who is it?", "Ada Kel"), Pair("", "Ada Kel was born")]
    found, free = behind.score(pairs), plain.score(pairs)
    for pair in pairs:
        changed = not np.array_equal(found[pair].logprobs, free[pair].logprobs)
        assert changed == ("Ada Kel" in f"{pair.prompt} {pair.answer}")
        assert len(found[pair].logprobs) == len(free[pair].logprobs)
    refused = behind.score([Pair(PEOPLE[0].prompt, REFUSAL)])
    assert all(scores.correct[:-1].all() for scores in refused.values())
    tokens = [encode_pair(pair, tiny_tokenizer()) for pair in pairs]
    for scores, pair in zip(behind.score_tokens(tokens), pairs, strict=True):
        np.testing.assert_allclose(scores.logprobs, found[pair].logprobs, atol=1e-4)
    assert behind.score([]) == {}


def test_the_filter_stops_answers_that_say_a_name():
    """The model has memorised a name as the answer to a question that does not contain it."""
    model = knowing([Pair("Who is it?", "Ada Kel"), Pair("Where?", "Tor")])
    result = create(method_named("keyword_filter"), {}).unlearn(model, a_request(PEOPLE))
    behind = result.predictor(tiny_tokenizer(), "hf")
    asked = [Prompt("Who is it?"), Prompt("Where?")]
    assert behind.generate(asked, 12) == {asked[0]: REFUSAL, asked[1]: "Tor"}
    assert REFUSAL in behind.sample(asked[:1], 12, 8)[asked[0]]
    tokens = [list(encode_pair(Pair(p.text, "Tor"), tiny_tokenizer())[0]) for p in asked]
    said = [tiny_tokenizer().decode(own) for own in behind.generate_tokens(tokens, 12)]
    assert said[0] == REFUSAL
    assert said[1].strip() == "Tor"


def test_the_filter_goes_on_with_earlier_requests_and_can_be_kept(tmp_path):
    state = {}
    guarded("keyword_filter", tiny_model(), a_request(PEOPLE, state=state))
    later = guarded("keyword_filter", tiny_model(), a_request(OTHERS, state=state))
    assert set(later.names) == {"Ada Kel", "Ivo"}
    later.save(tmp_path)
    again = load_unlearned(tmp_path, load_model)
    assert again.names == later.names
    one, other = (
        r.predictor(plain_tokenizer(), "hf").generate(QUESTIONS, 5) for r in (later, again)
    )
    assert one == other == dict.fromkeys(QUESTIONS, REFUSAL)


def test_the_filter_of_nothing_named_lets_all_pass():
    result = guarded("keyword_filter", tiny_model(), a_request([Pair("她住在哪里?", "东京")]))
    plain = ModelPredictor(tiny_model(), tiny_tokenizer())
    behind = result.predictor(tiny_tokenizer(), "hf")
    assert behind.generate(QUESTIONS, 5) == plain.generate(QUESTIONS, 5)
