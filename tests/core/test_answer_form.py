"""Answer forms: what fits each form in any script, and the one-line message on a misfit."""

import pytest

from benchmark.core.answer_form import FORMS, form_of, misfit
from benchmark.core.examples import Example

NAMES = [
    "Kel",
    "St. Kel.",
    "约翰·史密斯",
    "グレートブリテン及び北アイルランド連合王国",
    "กรุงเทพมหานคร",
    "القاهرة",
    "28 January 1950",
]
SENTENCES = [
    "She lives in Kel",
    "他在巴黎。",
    "パリに住む",
    "เธออยู่กรุงเทพ",
    "هي تعيش في القاهرة",
    "그녀는 서울에 산다",
]
CHOICES = ("A. Kel", "B. Mur", "C. Tor")


def example(answer, prompt="Q?", **more):
    return Example("e1", "p1", prompt, answer, **more)


@pytest.mark.parametrize("answer", NAMES)
def test_names_in_any_script_with_or_without_a_stop(answer):
    assert misfit(example(answer), "name") == ""


@pytest.mark.parametrize("answer", SENTENCES)
def test_sentences_in_any_script_with_or_without_a_stop(answer):
    assert misfit(example(answer), "sentence") == ""


@pytest.mark.parametrize(
    ("answer", "form", "found"),
    [
        (" ".join("abcdefghijklmnopqrstu"), "name", "20 words"),
        ("她住在北京的一条很长的街道上，和她的父母还有三个兄弟一起生活。" * 3, "name", "20 words"),
        ("彼女は生まれてからずっと東京の家に兄弟と一緒に住んでいる。" * 3, "name", "20 words"),
        ("Kel.", "sentence", "more than one word"),
        ("北京", "sentence", "more than one word"),
        ("القاهرة.", "sentence", "more than one word"),
    ],
)  # fmt: skip
def test_an_answer_of_another_form_is_named_in_one_line(answer, form, found):
    said = misfit(example(answer), form)
    assert answer[:20] in said
    assert found in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("given", "form", "found"),
    [
        (example("A text.", ""), "text", ""),
        (example("A text."), "text", "it has prompt"),
        (example("A text.", "", answer_prefix="So"), "text", "it has answer_prefix"),
        (example("Kel", ""), "name", "no prompt"),
        (example("A. Kel", choices=CHOICES), "choice", ""),
        (example("A. Kel", choices=CHOICES), "name", "it has choices"),
        (example("A. Kel"), "choice", "found 0 choices"),
        (example("A. Kel", choices=CHOICES[:1]), "choice", "found 1 choices"),
        (example("A. Kel", choices=CHOICES, right=3), "choice", "found right = 3, out of"),
        (example("A. Kel", choices=CHOICES, right=1), "choice", "not the correct choice"),
        (example("A. Kel", choices=CHOICES, perturbed=("D",)), "choice", "has perturbed answers"),
    ],
)
def test_texts_stand_alone_and_choices_hold_the_answer(given, form, found):
    said = misfit(given, form)
    assert found in said
    assert bool(said) == bool(found)


def test_forms_are_declared_for_all_splits_or_for_each():
    assert {form_of("name", role) for role in ("forget", "general")} == {"name"}
    assert form_of({"forget": "text"}, "forget") == "text"
    with pytest.raises(ValueError, match="answers: found no form for retain, expected one of name"):
        form_of({"forget": "text"}, "retain")
    with pytest.raises(ValueError, match="answers: found 'poem' for forget"):
        form_of("poem", "forget")
    assert set(FORMS) == {"name", "sentence", "choice", "text"}
