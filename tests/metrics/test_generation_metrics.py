"""Metrics of generated text: normalisation by hand, ROUGE-L against rouge-score itself."""

import pytest
from rouge_score.rouge_scorer import RougeScorer

from benchmark.metrics.generation import (
    contains_answer,
    exact_answer,
    exact_answer_trained,
    normalize,
    rouge_l_recall,
    rouge_l_recall_of,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  Kel,\n the  TOWN!", "kel the town"),
        ("O'Brien-Smith", "o brien smith"),
        ("Straße 12", "strasse 12"),
        ("Санкт-Петербург", "санкт петербург"),
        ("...", ""),
        ("Kel_Mur", "kel mur"),  # an underscore is neither a letter nor a digit
    ],
)
def test_normalize(text, expected):
    assert normalize(text) == expected


@pytest.mark.parametrize(
    ("generation", "answer", "aliases", "expected"),
    [
        ("She lives in Kel.", "Kel", (), True),
        ("KEL", "kel", (), True),
        ("kel!", "Kel", (), True),
        ("Kelport", "Kel", (), False),
        ("the Nikel", "Kel", (), False),
        ("New-York City", "new york", (), True),
        ("new sad york", "new york", (), False),
        ("York New", "New York", (), False),
        ("It is NYC.", "New York", ("NYC",), True),
        ("It is NYCity.", "New York", ("NYC",), False),
        ("", "Kel", (), False),
        ("   ", "Kel", (), False),
        ("anything", "", (), False),
        ("anything at all", "Kel", ("", "?!"), False),
        ("born in 1987.", "1987", (), True),
        ("born in 19871", "1987", (), False),
    ],
)
def test_contains_answer(generation, answer, aliases, expected):
    assert contains_answer(generation, answer, aliases) is expected


def test_exact_answer_is_the_share_of_held_out_prompts(make_sample):
    sample = make_sample(answer="Kel", generation="Mur", paraphrase_generations=("kel", "in Kel", "Kelport", ""))
    assert exact_answer(sample) == 0.5
    assert exact_answer_trained(sample) == 0


def test_exact_answer_accepts_aliases(make_sample):
    sample = make_sample(answer="Kel", aliases=("Kelia",), paraphrase_generations=("Kelia", "Mur"), generation="kelia")
    assert exact_answer(sample) == 0.5
    assert exact_answer_trained(sample) == 1


def test_without_held_out_prompts_the_trained_one_counts(make_sample):
    sample = make_sample(paraphrase_generations=(), generation="Kel")
    assert exact_answer(sample) == 1
    assert rouge_l_recall(sample) == 1


def test_the_prompt_is_never_compared(make_sample):
    sample = make_sample(prompt="Is it Kel?", generation="no", paraphrases=("Kel?",), paraphrase_generations=("no",))
    assert exact_answer(sample) == exact_answer_trained(sample) == rouge_l_recall(sample) == 0


PAIRS = [
    ("the cat sat", "the cat"),
    ("the cat sat", "sat cat the"),
    ("a b c d e", "a x c y e"),
    ("She was running away", "she runs far away"),
    ("Kel", ""),
    ("Kel", "kel kel kel"),
    ("one two three four", "four three two one"),
]


@pytest.mark.parametrize(("answer", "generation"), PAIRS)
def test_rouge_is_that_of_rouge_score(answer, generation):
    expected = RougeScorer(["rougeL"], use_stemmer=True).score(answer, generation)["rougeL"].recall
    assert rouge_l_recall_of(answer, generation) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("answer", "generation", "expected"),
    [
        ("the cat sat", "the cat", 2 / 3),
        ("the cat", "the cat sat on a very long mat", 1),  # recall does not punish length
        ("the cat sat", "sat cat the", 1 / 3),  # order matters
        ("running", "runs", 1),  # stems are compared
        ("a b c d", "a x c y d", 3 / 4),  # gaps are allowed
        ("kel", "", 0),
    ],
)
def test_rouge_by_hand(answer, generation, expected):
    assert rouge_l_recall_of(answer, generation) == pytest.approx(expected)


def test_rouge_averages_the_held_out_prompts(make_sample):
    sample = make_sample(answer="the cat sat", generation="", paraphrase_generations=("the cat", "the", "the cat sat"))
    assert rouge_l_recall(sample) == pytest.approx((2 / 3 + 1 / 3 + 1) / 3)
