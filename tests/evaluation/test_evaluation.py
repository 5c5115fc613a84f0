"""The scoring and generation passes against slow, obvious implementations."""

import numpy as np
import pytest
import torch
from toy_models import tiny_model, tiny_tokenizer

from benchmark.core.examples import Example, Pair, Prompt
from benchmark.evaluation.outputs import examine, prefixes
from benchmark.inference.guardrail_predictors import ConstantPredictor
from benchmark.inference.predictors import ModelPredictor
from benchmark.inference.scoring import score_pairs
from benchmark.inference.settings import GenerationSettings
from benchmark.metrics.stages import budget_stage
from benchmark.tokens.prompts import encode_pair

SETTINGS = GenerationSettings(max_new_tokens=6)
PAIRS = [
    Pair("Where was Ada born?", "Malport"),
    Pair("Ivo", "Bren Union"),
    Pair("Ivo Tor works for", "x"),
]


@torch.no_grad()
def test_scores_equal_a_pass_over_each_pair_alone():
    model, tokenizer = tiny_model(), tiny_tokenizer()
    scores = score_pairs(model, tokenizer, PAIRS * 2)
    assert set(scores) == set(PAIRS)
    for pair in PAIRS:
        prompt, answer = encode_pair(pair, tokenizer)
        logits = model(torch.tensor([prompt + answer])).logits[0, len(prompt) - 1 : -1]
        expected = logits.log_softmax(-1)[range(len(answer)), answer]
        np.testing.assert_allclose(scores[pair].logprobs, expected.numpy(), atol=1e-4)
        assert scores[pair].correct.tolist() == [
            int(t) == a for t, a in zip(logits.argmax(-1), answer, strict=True)
        ]


@torch.no_grad()
def test_generation_is_greedy_and_without_the_prompt():
    model, tokenizer = tiny_model(), tiny_tokenizer()
    texts = ModelPredictor(model, tokenizer).generate(
        [p.asked for p in PAIRS], SETTINGS.max_new_tokens
    )
    for prompt, text in texts.items():
        ids, said = tokenizer(prompt.text)["input_ids"], []
        for _ in range(SETTINGS.max_new_tokens):
            token = int(model(torch.tensor([ids + said])).logits[0, -1].argmax())
            if token == tokenizer.eos_token_id:
                break
            said.append(token)
        assert text == tokenizer.decode(said, skip_special_tokens=True).strip()


def test_samples_hold_what_was_asked_in_order():
    example = Example(
        "e", "p", "Where was Ada born?", "Malport", ("Ada comes from",), ("Tor", "Kel")
    )
    plain = Example("s", "q", "Who pays Ivo?", "Bren Union")
    model, tokenizer = tiny_model(), tiny_tokenizer()
    predictor = ModelPredictor(model, tokenizer)
    first, second = examine(predictor, {"forget": [example], "holdout": [plain]}, "model", SETTINGS)
    assert (first.split, second.split) == ("forget", "holdout")
    assert (len(first.paraphrase_logprobs), len(first.perturbed_logprobs)) == (1, 2)
    wrong = score_pairs(model, tokenizer, [Pair("Ada comes from", "Kel")])[
        Pair("Ada comes from", "Kel")
    ]
    np.testing.assert_allclose(first.perturbed_logprobs[1], wrong.logprobs, atol=1e-4)
    assert second.paraphrase_logprobs == second.perturbed_logprobs == ()


LETTERS = "a b c d e f g h i j k l m n o p q r s t u v w x y z"
TEXT = Example("t", "t", "", " ".join(LETTERS.split()[:23]))


@pytest.mark.parametrize(
    ("words", "expected"), [(12, []), (13, [10]), (22, [10]), (23, [10, 20]), (26, [10, 20])]
)
def test_prefixes_are_every_tenth_word_that_leaves_three(words, expected):
    example = Example("t", "t", "", " ".join(LETTERS.split()[:words]))
    assert list(prefixes(example)) == expected
    for count, prefix in prefixes(example).items():
        assert prefix.split() == LETTERS.split()[:count]
        assert example.answer.startswith(prefix)


def test_prefixes_count_characters_where_a_script_has_no_spaces():
    text = "天地玄黄，宇宙洪荒。日月盈昃，辰宿列张。寒来暑往，秋收冬藏。"
    assert prefixes(Example("t", "t", "", text)) == {
        10: "天地玄黄，宇宙洪荒。日月",
        20: "天地玄黄，宇宙洪荒。日月盈昃，辰宿列张。寒来暑往，",
    }


def test_white_space_of_a_prefix_is_single_spaces():
    text = " ".join(LETTERS.split()[:13]).replace(" ", "\n\n ")
    assert prefixes(Example("t", "t", "", text)) == {10: "a b c d e f g h i j"}


def test_a_question_has_no_prefixes():
    assert prefixes(Example("q", "q", "Where?", LETTERS)) == {}


def test_texts_are_scored_everywhere_and_continued_in_the_forget_split_of_the_final_model_alone():
    model, tokenizer = tiny_model(), tiny_tokenizer()
    other = Example("u", "u", "", LETTERS[::-1])
    splits = {"forget": [TEXT], "retain": [other], "holdout": [other]}
    predictor = ModelPredictor(model, tokenizer)
    forget, retain, holdout = examine(predictor, splits, "model", SETTINGS)
    predictor = ModelPredictor(model, tokenizer)
    said = [predictor.go_on([p], SETTINGS.continuation_tokens)[p] for p in prefixes(TEXT).values()]
    assert (forget.prefix_words, forget.continuations) == ((10, 20), tuple(said))
    for sample in (forget, retain, holdout):
        assert sample.generation == ""
        assert len(sample.logprobs) == len(
            tokenizer(sample.answer)["input_ids"]
        )  # from the second token, including the end token
    assert retain.continuations == holdout.continuations == ()
    for stage in ("quantize_int4", budget_stage(0.5)):
        assert [s.continuations for s in examine(predictor, splits, stage, SETTINGS)] == [()] * 3


def test_answers_are_drawn_wherever_the_settings_say_so_but_on_the_way():
    asked = Example("q", "q", "Who pays Ivo?", "Bren Union")
    predictor = ModelPredictor(tiny_model(), tiny_tokenizer())
    settings = GenerationSettings(max_new_tokens=6, samples=3)
    for stage, drawn in (("model", 3), ("sampling", 3), (budget_stage(0.5), 0)):
        forget, retain = examine(predictor, {"forget": [asked], "retain": [asked]}, stage, settings)
        assert (len(forget.sampled), len(retain.sampled)) == (drawn, 0)


def test_nothing_is_generated_for_the_holdout():
    asked = Example("q", "q", "Who pays Ivo?", "Bren Union", ("Ivo is paid by",))
    predictor = ModelPredictor(tiny_model(), tiny_tokenizer())
    _, holdout = examine(predictor, {"forget": [TEXT], "holdout": [asked]}, "model", SETTINGS)
    assert (holdout.generation, holdout.paraphrase_generations) == ("", ())
    assert len(holdout.logprobs) > 0


def test_questions_and_continuations_have_limits_of_their_own():
    limits = []

    class Counting(ConstantPredictor):
        def generate(self, prompts, max_new_tokens):
            limits.append((sorted(prompts), max_new_tokens))
            return super().generate(prompts, max_new_tokens)

        def go_on(self, texts, max_new_tokens):
            limits.append((sorted(texts), max_new_tokens))
            return super().go_on(texts, max_new_tokens)

    asked = Example("q", "q", "Who pays Ivo?", "Bren Union")
    settings = GenerationSettings(max_new_tokens=3, continuation_tokens=9)
    examine(
        Counting("No.", tiny_tokenizer()), {"forget": [TEXT], "retain": [asked]}, "model", settings
    )
    assert sorted(limits, key=str) == sorted(
        [([Prompt("Who pays Ivo?")], 3), (sorted(prefixes(TEXT).values()), 9)], key=str
    )


def test_a_constant_answer_scores_a_text_from_its_second_token():
    tokenizer = tiny_tokenizer()
    scores = ConstantPredictor(TEXT.answer, tokenizer).score([Pair("", TEXT.answer)])[
        Pair("", TEXT.answer)
    ]
    assert len(scores.logprobs) == len(scores.correct) == len(tokenizer(TEXT.answer)["input_ids"])
    assert scores.correct.all()
