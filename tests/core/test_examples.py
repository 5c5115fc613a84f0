"""Examples: paraphrases, wrong answers, and that a dataset preserves every field."""

from dataclasses import fields

from benchmark.core.examples import Example, Pair, Prompt, Question, to_dataset, to_examples

HISTORY = (("system", "Be brief."), ("user", "Hello."), ("assistant", "Hi."))
WHOLE = Example(
    "e1",
    "p1",
    "Q?",
    "B",
    paraphrases=("P?", "R?"),
    aliases=("b",),
    strata={"frequency": "4"},
    rewordings=("Bee",),
    answer_prefix="It is",
    history=HISTORY,
    paraphrase_prefixes=("So it is", "Well,"),
    choices=("A", "B"),
    right=1,
    form="choice",
    probes={"reverse": Question("Whose is B?", "Q", "It is of", ("q",), ("R", "S"))},
)


def test_every_field_survives_the_dataset():
    plain = Example("e2", "p2", "Q", "A", perturbed=("C",))
    assert to_examples(to_dataset([WHOLE, plain])) == [WHOLE, plain]
    left = [f.name for f in fields(Example) if getattr(WHOLE, f.name) == getattr(plain, f.name)]
    assert left == ["perturbed"] or set(left) <= {"perturbed"}, "all fields are tried"


def test_a_conversation_ends_with_the_prompt():
    assert WHOLE.pair == Pair("Q?", "B", "It is", HISTORY)
    assert WHOLE.pair.asked.messages == (*HISTORY, ("user", "Q?"))
    assert Prompt("").messages == ()


def test_paraphrases_follow_the_same_turns_with_beginnings_of_their_own():
    first, second = WHOLE.reasked
    assert first == Prompt("P?", HISTORY, "So it is")
    assert second == Prompt("R?", HISTORY, "Well,")
    shared = Example("e", "p", "Q?", "A", ("P?",), answer_prefix="It is")
    assert shared.reasked == (Prompt("P?", (), "It is"),)


def test_rewordings_answer_the_prompt_as_it_is():
    assert WHOLE.wordings == [Pair("Q?", "Bee", "It is", HISTORY)]


def test_the_other_choices_are_the_wrong_answers():
    assert WHOLE.wrong == ("A",)
    assert Example("e", "p", "Q?", "A", perturbed=("C", "D")).wrong == ("C", "D")
    assert Example("e", "p", "Q?", "A").wrong == ()
