"""Metrics of generated text: normalisation by hand, ROUGE-L against rouge-score and, in other
scripts, by hand.
"""

import re
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer
from rouge_score.tokenizers import DefaultTokenizer

from benchmark.metrics.generation import (
    contains_answer,
    exact_answer,
    exact_answer_trained,
    normalize,
    rouge_l_recall,
)
from benchmark.metrics.rouge import rouge_l, stems

RLM = "\u200f"
many = settings(max_examples=300, deadline=None, derandomize=True)
ASCII = st.text(st.characters(max_codepoint=127))


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
        ("她出生在北京市。", "北京", (), True),
        ("她出生在南京市。", "北京", (), False),
        ("生于１９８７年", "1987", (), True),
        ("生于19871年", "1987", (), False),
        ("เกิดที่กรุงเทพ", "กรุงเทพ", (), True),
        ("เกิดปี ๑๙๘๗๑", "๑๙๘๗", (), False),
        ("वह दिल्ली में है", "दिल्ली", (), True),
        ("वह दिल्ली में है", "दिल्ल", (), False),  # the word without its vowel sign
        (f"{RLM}القاهرة{RLM}.", "القاهرة", (), True),
        ("בחיפה", "חיפה", (), False),  # its preposition is part of the word
        ("서울 사람", "서울", (), True),
        ("in STRASSBURG", "Straßburg", (), True),
        ("Sa\u0303o Paulo", "SÃO PAULO", (), True),
        ("Sao Paulo", "São Paulo", (), False),
        ("I\u0307ZMİR", "i\u0307zmi\u0307r", (), True),
    ],
)
def test_contains_answer(generation, answer, aliases, expected):
    assert contains_answer(generation, answer, aliases) is expected


def test_exact_answer_is_the_share_of_held_out_prompts(make_sample):
    sample = make_sample(
        answer="Kel", generation="Mur", paraphrase_generations=("kel", "in Kel", "Kelport", "")
    )
    assert exact_answer(sample) == 0.5
    assert exact_answer_trained(sample) == 0


def test_exact_answer_accepts_aliases(make_sample):
    sample = make_sample(
        answer="Kel",
        aliases=("Kelia",),
        paraphrase_generations=("Kelia", "Mur"),
        generation="kelia",
    )
    assert exact_answer(sample) == 0.5
    assert exact_answer_trained(sample) == 1


def test_without_held_out_prompts_the_trained_one_counts(make_sample):
    sample = make_sample(paraphrase_generations=(), generation="Kel")
    assert exact_answer(sample) == 1
    assert rouge_l_recall(sample) == 1


def test_the_prompt_is_never_compared(make_sample):
    sample = make_sample(
        prompt="Is it Kel?", generation="no", paraphrases=("Kel?",), paraphrase_generations=("no",)
    )
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
    assert rouge_l(answer, generation).recall == pytest.approx(expected)


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
    assert rouge_l(answer, generation).recall == pytest.approx(expected)


@pytest.mark.parametrize(
    ("answer", "generation", "expected"),
    [
        ("北京是中国的首都。", "中国的首都是北京。", 5 / 8),  # 中国的首都
        ("彼女は東京に住む", "東京で住んだ", 3 / 8),  # 東京 and 住
        ("กรุงเทพ", "กรุงเก่า", 4 / 6),  # ก รุ ง เ of ก รุ ง เ ท พ
        ("वह दिल्ली में रहती है।", "वह मुंबई में है।", 3 / 5),
        ("تعيش في القاهرة", "تعيش في دمشق", 2 / 3),
        ("تعيش في القاهرة", f"{RLM}تعيش{RLM} في دمشق.", 2 / 3),
        ("היא גרה בחיפה", "גרה היא בחיפה", 2 / 3),
        ("서울에서 산다.", "부산에서 산다.", 1 / 2),
        ("Она живёт в Киеве", "она жила в КИЕВЕ", 3 / 4),
        ("ΟΔΟΣ", "οδος", 1),
        ("OpenAI在2015年成立", "2015年OpenAI", 2 / 6),  # 2015 and 年
        ("她的狗在running", "dogs run", 1 / 5),  # ASCII words are stemmed
        ("١٩٨٧", "1987", 0),  # digits of other scripts are not converted
        ("É", "é", 1),  # rouge-score would drop it
        ("北京", "", 0),
        ("北京", "...", 0),
    ],
)
def test_rouge_by_hand_in_other_scripts(answer, generation, expected):
    assert rouge_l(answer, generation).recall == pytest.approx(expected)


@pytest.mark.parametrize(
    ("answer", "generation", "expected"),
    [
        ("São Paulo", "Paulo", 1 / 3),  # s, o and paulo
        ("São Paulo", "Sa\u0303o Paulo", 1),  # composed or decomposed
        ("São Paulo 北", "Paulo", 1 / 3),  # são, paulo and 北
        ("Bern", "Bern 北京", 1),
        ("Hawaiʻi", "hawai", 1 / 2),  # this apostrophe is a letter in Unicode, of no script
    ],
)
def test_latin_answers_are_read_as_rouge_score_reads_them(answer, generation, expected):
    assert rouge_l(answer, generation).recall == pytest.approx(expected)


@pytest.mark.parametrize("answer", ["", "...", "。！", "\u200b", "_"])
def test_an_answer_without_words_has_no_rouge(answer):
    with pytest.raises(ValueError, match="no word"):
        rouge_l(answer, "北京 Kel")


@many
@given(ASCII)
def test_stems_of_ascii_are_those_of_rouge_score(text):
    expected = DefaultTokenizer(use_stemmer=True).tokenize(text)
    assert stems(text) == expected
    assert stems(f"{text} 北") == [*expected, "北"]


@many
@given(
    st.text(st.characters(max_codepoint=0x24F)).filter(lambda text: re.search("[a-zA-Z0-9]", text)),
    st.text(),
)
def test_rouge_of_latin_answers_is_that_of_rouge_score(answer, generation):
    composed = [unicodedata.normalize("NFC", text) for text in (answer, generation)]
    expected = RougeScorer(["rougeL"], use_stemmer=True).score(*composed)["rougeL"].recall
    assert rouge_l(answer, generation).recall == pytest.approx(expected)


def test_rouge_averages_the_held_out_prompts(make_sample):
    sample = make_sample(
        answer="the cat sat",
        generation="",
        paraphrase_generations=("the cat", "the", "the cat sat"),
    )
    assert rouge_l_recall(sample) == pytest.approx((2 / 3 + 1 / 3 + 1) / 3)


@pytest.mark.parametrize("metric", [exact_answer, exact_answer_trained])
def test_an_answer_without_a_word_cannot_be_scored(make_sample, metric):
    sample = make_sample(answer="🍎", generation="🍎", paraphrase_generations=("🍎",))
    with pytest.raises(ValueError, match="there is no word in '🍎'"):
        metric(sample)
    assert (
        metric(
            replace(
                sample, aliases=("apple",), generation="an apple", paraphrase_generations=("apple",)
            )
        )
        == 1
    )
