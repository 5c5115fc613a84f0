"""Custom questions: what valid files become, and the messages for invalid ones."""

import codecs
import json
from dataclasses import replace

import pytest

from benchmark.core.examples import to_examples
from benchmark.errors import BadInput
from tasks.custom.task import Custom

SPLITS = ("forget", "retain", "retain_eval", "holdout")


def forgotten(number, subject="Blue Harbour", **more):
    return {
        "question": f"What is fact {number} of {subject}?",
        "answer": f"Thing {number}",
        "subject": subject,
        **more,
    }


def kept(number, **more):
    return {"question": f"What is fact {number}?", "answer": f"Value {number}", **more}


def subjects(count, **more):
    return [forgotten(n, f"Harbour {'ABCDEFGH'[n]}", **more) for n in range(count)]


@pytest.fixture
def files(tmp_path):
    """Writes the forget and the retain file where the data source expects them."""

    def write(forget=None, retain=None):
        for name, rows in (
            ("forget", forget or subjects(4)),
            ("retain", retain or [kept(n) for n in range(8)]),
        ):
            path = tmp_path / f"{name}.jsonl"
            path.write_text(
                "".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows)
            )

    return write


def test_the_smallest_files_are_enough(files, source):
    files()
    made = Custom().data("", source)
    found = {name: len(made.splits[name]) for name in SPLITS}
    assert found == {"forget": 4, "retain": 4, "retain_eval": 4, "holdout": 20}
    assert (made.documents, len(made.proxies)) == ((), 3)


def about_towns(towns, each):
    """`each` retain rows about each town."""
    return [
        kept(f"{n} of {town}", answer=f"{town} {n}", subject=town)
        for town in towns
        for n in range(each)
    ]


def halves(made):
    return [set(made.splits[name]["prompt"]) for name in ("retain", "retain_eval")]


def test_half_of_what_is_kept_is_rehearsed_and_nothing_else(files, source):
    files(retain=[kept(n) for n in range(11)])
    made = Custom().data("", source)
    rehearsed, withheld = halves(made)
    assert set(made.retain_pool["prompt"]) == rehearsed
    assert (len(rehearsed), len(withheld)) == (6, 5)
    assert rehearsed | withheld == {kept(n)["question"] for n in range(11)}


def test_the_halves_are_drawn_whatever_the_order_of_the_lines(files, source):
    rows = about_towns("ABCDEFGH", 3)
    found = []
    for order in (rows, rows[::-1], rows[::2] + rows[1::2]):
        files(retain=order)
        found.append(halves(Custom().data("", source)))
    assert found[0] == found[1] == found[2]
    questions = [row["question"] for row in rows]
    assert set(questions[:12]) not in found[0]


def test_an_entity_is_rehearsed_as_a_whole_or_not_at_all(files, source):
    files(retain=[*about_towns("AB", 5), *about_towns("CDEF", 2)])
    made = Custom().data("", source)
    rehearsed, withheld = (set(made.splits[n]["entity"]) for n in ("retain", "retain_eval"))
    assert not rehearsed & withheld
    assert abs(len(made.splits["retain"]) - len(made.splits["retain_eval"])) <= 2


@pytest.mark.parametrize("rows", [[("A", 8)], [("A", 7), ("B", 1)], [("A", 1), ("B", 7)]])
def test_few_entities_leave_no_half_empty(files, source, rows):
    files(retain=[row for town, each in rows for row in about_towns(town, each)])
    rehearsed, withheld = halves(Custom().data("", source))
    assert rehearsed
    assert withheld


def test_one_question_in_many_dialogues_is_drawn_by_dialogue(files, source):
    asked = [[{"role": "user", "content": f"My name is {n}."}] for n in range(8)]
    files(retain=[kept(0, answer=f"Value {n}", history=asked[n]) for n in range(8)])
    made = Custom().data("", source)
    assert [len(made.splits[name]) for name in ("retain", "retain_eval")] == [4, 4]


def test_answers_have_the_form_that_the_command_names(files, source):
    long = (
        "Nobody knows who it was that founded it in the spring of that cold year, nor how, nor "
        "why, nor where."
    )
    files(subjects(4, answer=long), [kept(n, answer=f"It is number {n}.") for n in range(8)])
    inputs = replace(source.inputs, answers="sentence")
    made = Custom().data("", replace(source, inputs=inputs))
    assert set(made.forms.values()) == {"sentence"}
    with pytest.raises(BadInput, match="form name: found 'Nobody knows"):
        Custom().data("", source)


def test_a_conversation_goes_before_its_question(files, source):
    turns = [
        {"role": "user", "content": "I visited Harbour A."},
        {"role": "assistant", "content": "And?"},
    ]
    files([*subjects(3), forgotten(3, "Harbour A", history=turns)])
    made = Custom().data("", source)
    assert made.examples("forget")[3].history == (
        ("user", "I visited Harbour A."),
        ("assistant", "And?"),
    )
    (_, text), reply = to_examples(made.proxies[0])[3].history
    assert text.startswith("I visited ")
    assert "Harbour A" not in text
    assert reply == ("assistant", "And?")


def test_proxies_and_holdout_ask_about_ever_other_subjects(files, source):
    files(subjects(4, paraphrases=["Tell me of Harbour A, Harbour B, Harbour C and Harbour D."]))
    made = Custom().data("", source)
    prompts = set()
    for stand_ins in map(to_examples, made.proxies):
        for real, other in zip(made.examples("forget"), stand_ins, strict=True):
            assert (other.id, other.answer, other.perturbed) == (
                real.id,
                real.answer,
                real.perturbed,
            )
            assert real.entity not in other.prompt + "".join(other.paraphrases)
            prompts.add(other.prompt)
    prompts |= set(made.splits["holdout"]["prompt"])
    assert len(prompts) == 4 * 3 + 20


def test_a_subject_of_one_word_stays_one_word(files, source):
    files([forgotten(n, "Bluehaven", answer=f"{n} in Bluehaven") for n in range(4)])
    proxy = to_examples(Custom().data("", source).proxies[0])[0]
    name = proxy.prompt.removeprefix("What is fact 0 of ").removesuffix("?")
    assert (len(name.split()), proxy.answer) == (1, f"0 in {name}")


def test_entities_are_subjects_unless_there_is_but_one(files, source):
    files([*subjects(4), forgotten(9, "Harbour A")])
    assert len(set(Custom().data("", source).splits["forget"]["entity"])) == 4
    files([forgotten(n) for n in range(4)])
    assert len(set(Custom().data("", source).splits["forget"]["entity"])) == 4


def test_wrong_answers_are_ones_own_or_those_of_other_rows(files, source):
    files([*subjects(3, perturbed=["Lie"]), forgotten(3, aliases=["Thing 1", "Value 2"])])
    *own, last = Custom().data("", source).examples("forget")
    assert {e.perturbed for e in own} == {("Lie",)}
    answers = {f"Thing {n}" for n in range(3)} | {f"Value {n}" for n in range(8)}
    assert len(set(last.perturbed)) == 5
    assert set(last.perturbed) <= answers - {"Thing 1", "Value 2"}


def test_the_same_files_give_the_same_data(files, source, development):
    files()
    assert Custom().data("", source).fingerprint == Custom().data("", development).fingerprint


@pytest.mark.parametrize("missing", ["forget", "retain"])
def test_a_missing_option_is_named(files, source, missing):
    files()
    inputs = replace(source.inputs, **{missing: None})
    with pytest.raises(BadInput, match=f"custom: no --{missing} FILE is given"):
        Custom().data("", replace(source, inputs=inputs))


def test_a_missing_file_is_named(files, source, tmp_path):
    files()
    (tmp_path / "retain.jsonl").unlink()
    with pytest.raises(BadInput, match=r"--retain: .*retain\.jsonl is not a file"):
        Custom().data("", source)


def test_a_byte_order_mark_is_no_part_of_the_first_line(files, source, tmp_path):
    files()
    plain = Custom().data("", source)
    path = tmp_path / "forget.jsonl"
    path.write_bytes(codecs.BOM_UTF8 + path.read_bytes())
    assert Custom().data("", source).fingerprint == plain.fingerprint


def test_a_file_of_another_encoding_is_named(files, source, tmp_path):
    files()
    (tmp_path / "forget.jsonl").write_bytes(b'{"question": "\xe9"}\n')
    with pytest.raises(BadInput, match=r"forget\.jsonl: line 1: byte 15 is not UTF-8"):
        Custom().data("", source)


GOOD = subjects(4)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (GOOD[:3], r"--forget: .*forget\.jsonl: found 3 rows, at least 4 are needed"),
        ([*GOOD, "{'a': 1}\n"], r"forget\.jsonl: line 5: not valid JSON"),
        ([*GOOD, "[]\n"], "line 5: found list, an object is needed"),
        (
            [*GOOD, {"answer": "x", "subject": "y"}],
            "line 5: question: found nothing, a text is needed",
        ),
        ([*GOOD, forgotten(5, answer=7)], "line 5: answer: found 7, a text is needed"),
        ([*GOOD, forgotten(5, answer=" ")], "line 5: answer: found ' ', a text is needed"),
        (
            [*GOOD, {"question": "Q?", "answer": "A"}],
            "line 5: subject: found nothing, a text is needed",
        ),
        (
            [*GOOD, forgotten(5, answer="🍎")],
            "line 5: answer: found '🍎', an answer with a letter or digit is needed",
        ),
        (
            [*GOOD, forgotten(5, aliases="x")],
            "line 5: aliases: found 'x', a list of texts is needed",
        ),
        (
            [*GOOD, forgotten(5, perturbed=["x", 3])],
            r"line 5: perturbed: found \['x', 3\], a list of texts",
        ),
        (
            [*GOOD, forgotten(5, aliases=["Kel"], perturbed=["x", "Kel "])],
            "line 5: perturbed: found 'Kel ', .* right",
        ),
        (
            [*GOOD, forgotten(5, paraphrase=["x"])],
            "line 5: 'paraphrase': unknown field; did you mean paraphrases?",
        ),
        (
            [*GOOD, forgotten(5, history=[{"role": "bot", "content": "Hello."}])],
            "line 5: history: found .*'bot'.*; a list of turns is needed, each .*role.: one of",
        ),
        ([*GOOD, forgotten(5, history="Hello.")], "line 5: history: found 'Hello.'; a list"),
        (
            [*GOOD, forgotten(5, history=[{"role": "user", "content": "a\u200bb"}])],
            r"line 5: history: found U\+200B",
        ),
        (
            [*GOOD, forgotten(5, answer=" ".join("abcdefghijklmnopqrstu"))],
            "the split forget: example forget.0005 does not fit the form name: found "
            "'a b .*'; a name has at most 20 words; --answers says which form they have",
        ),
        (
            [*GOOD, forgotten(5, xyz=1)],
            "line 5: 'xyz': unknown field; known: question, answer, subject",
        ),
        (
            [*GOOD, forgotten(5, question="Who?")],
            "line 5: question: found 'Who.', which must contain the subject 'Blue",
        ),
        (
            [*GOOD, forgotten(5, paraphrases=["Who?"])],
            "line 5: paraphrases: found 'Who.', which must contain",
        ),
        (
            [*GOOD, forgotten(5, answer="a\u200bb")],
            r"line 5: answer: found U\+200B ZERO WIDTH SPACE as character 2; it",
        ),
        (
            [*GOOD, forgotten(5, answer="a\x00b")],
            r"line 5: answer: found U\+0000 <control> as character 2; it must be",
        ),
        (
            [*GOOD, forgotten(5, aliases=["a", "\ufeffb"])],
            r"aliases: found U\+FEFF ZERO WIDTH NO-BREAK SPACE as char.* 1",
        ),
        (
            [*GOOD, forgotten(5, answer="a\ufdd0")],
            r"line 5: answer: found U\+FDD0 <noncharacter> as character 2",
        ),
        (
            [*GOOD, forgotten(5, answer="\u202eabc")],
            r"answer: found U\+202E RIGHT-TO-LEFT OVERRIDE as character 1",
        ),
        (
            [*GOOD, forgotten(5, answer="\u200d\u3164")],
            "line 5: answer: found .*, a text is needed",
        ),  # all characters are invisible
        (
            [*GOOD, forgotten(5, answer="\ud83d")],
            r"line 5: found U\+D83D in the field 'answer', half of a surrogate pair",
        ),
        (
            [*GOOD, forgotten(5, aliases=["e\u0301"], perturbed=["é"])],
            "line 5: perturbed: found 'é', .* right",
        ),
        (
            [*GOOD, forgotten(5, **{"a\nb\u2028" + "c" * 99: 1})],
            r"line 5: 'a\\nb\\u2028c+: unknown field",
        ),
        ([*GOOD, GOOD[1]], "line 5 of --forget: question: .* which line 2 of --forget asks"),
        (
            [*GOOD, forgotten(5, question="What is fact 1?", subject="fact 1")],
            "line 2 of --retain: question: found",
        ),
    ],
)
def test_a_wrong_line_is_named(files, source, rows, message):
    files(rows)
    with pytest.raises(BadInput, match=message):
        Custom().data("", source)


def test_accents_may_be_typed_in_either_way(files, source):
    composed, decomposed = "Café Léa", "Cafe\u0301 Le\u0301a"
    assert composed != decomposed
    files([forgotten(n, composed, question=f"What is fact {n} of {decomposed}?") for n in range(4)])
    made = Custom().data("", source)
    assert list(made.splits["forget"]["prompt"]) == [
        f"What is fact {n} of {composed}?" for n in range(4)
    ]
    assert composed not in "".join(made.proxies[0]["prompt"])
    files([*GOOD, forgotten(5, composed), forgotten(5, decomposed)])
    with pytest.raises(
        BadInput, match=r"line 6 of --forget: question: .* which line 5 of --forget asks"
    ):
        Custom().data("", source)


@pytest.mark.parametrize(
    "text",
    ["می\u200cخواهم", "क्\u200dष", "\u200fشبكة\u200e", "a\tb\nc", "a 👩\u200d🔬", "co\u00adop"],
)
def test_joiners_and_marks_of_direction_have_a_use(files, source, text):
    files([*GOOD, forgotten(5, answer=text)])
    assert Custom().data("", source).splits["forget"]["answer"][4] == text


def test_answers_must_differ(files, source):
    files(subjects(4, answer="yes"), [kept(n, answer="yes") for n in range(8)])
    with pytest.raises(BadInput, match="every answer is 'yes'"):
        Custom().data("", source)


def test_too_few_rows_to_retain_are_refused(files, source):
    files(retain=[kept(n) for n in range(7)])
    with pytest.raises(BadInput, match=r"retain\.jsonl: found 7 rows, at least 8 are needed"):
        Custom().data("", source)
