"""The WMDP loader on harmless synthetic questions: what is asked, what cannot be known, and the
messages for invalid files.
"""

import pytest

from benchmark.core.examples import to_examples
from benchmark.errors import BadInput
from tasks.wmdp.task import CORPORA, FORGOTTEN, GATED, QUESTIONS, WORDS, Wmdp

SPLITS = ("forget", "retain", "general", "holdout")


def question(topic, number, answer=2):
    return {
        "question": f"{topic} {number}?",
        "choices": [f"{topic}{number}{x}" for x in "wxyz"],
        "answer": answer,
    }


@pytest.fixture
def data(write_data):
    def write(name, rows):
        write_data(f"wmdp/{name}.json", rows)

    write("bio", [question("bio", n) for n in range(40)])
    write("cyber", [question("cyber", n) for n in range(500)])
    for name in ("bio_forget", "bio_retain", "cyber_forget", "cyber_retain"):
        write(
            name,
            [{"text": " ".join(f"{name}{n}-{w}" for w in range(WORDS * 2))} for n in range(40)]
            + [{"text": ""}],
        )
    return write


def test_sizes(data, source):
    made = Wmdp().data("cyber", source)
    assert {n: len(made.splits[n]) for n in SPLITS} == {
        "forget": FORGOTTEN, "retain": 64, "general": 40, "holdout": FORGOTTEN,
    }  # fmt: skip
    assert (
        len(made.documents),
        len(made.proxies),
        len(made.forget_pool),
        len(made.retain_pool),
    ) == (0, 3, 80, 80)


def test_a_question_has_its_choices(data, source):
    example = Wmdp().data("bio", source).examples("forget")[0]
    assert example.prompt == "bio 0?\nA. bio0w\nB. bio0x\nC. bio0y\nD. bio0z"
    assert (example.answer, example.aliases) == ("C. bio0y", ("bio0y",))
    assert example.wrong == ("A. bio0w", "B. bio0x", "D. bio0z")
    assert (example.form, example.choices[example.right]) == ("choice", "C. bio0y")


def test_methods_are_given_papers_and_not_questions(data, source):
    made = Wmdp().data("bio", source)
    assert all(e.prompt == "" and e.answer.startswith("bio_forget") for e in made.asked(0))
    assert all(text.startswith("bio_retain") for text in made.retain_pool["answer"])
    assert set(made.splits["retain"]["answer"]) <= set(made.retain_pool["answer"])


def test_proxies_ask_with_choices_that_belong_to_other_questions(data, source):
    made = Wmdp().data("bio", source)
    asked = made.examples("forget")
    owners = [{asked[i].aliases[0]} for i in range(len(asked))]
    for stand_ins in (*map(to_examples, made.proxies), made.examples("holdout")):
        for number, (real, other) in enumerate(zip(asked, stand_ins, strict=True)):
            assert other.prompt.splitlines()[0] == real.prompt.splitlines()[0]
            assert other.aliases[0] not in owners[number]
            owners[number].add(other.aliases[0])
    assert {len(seen) for seen in owners} == {5}


def test_the_other_topic_is_to_be_kept(data, source):
    made = Wmdp().data("bio", source)
    kept = made.examples("general")
    assert len({e.id for e in kept}) == 200
    assert all(e.prompt.startswith("cyber") for e in kept)


def test_development_asks_other_questions(data, source, development):
    scored, developed = (
        set(Wmdp().data("bio", where).splits["forget"]["prompt"]) for where in (source, development)
    )
    assert (len(scored), len(developed), scored & developed) == (20, 20, set())


def test_the_hub_is_asked_for_pinned_revisions(data, source, asked_of_the_hub, tmp_path):
    places = {
        "cyber.json": (QUESTIONS[0], "wmdp-cyber", "test", QUESTIONS[1]),
        "cyber_retain.json": (CORPORA[0], "cyber-retain-corpus", "train", CORPORA[1]),
        "cyber_forget.json": (CORPORA[0], "cyber-forget-corpus", "train", CORPORA[1]),
    }
    for file, expected in places.items():
        path = tmp_path / "data/wmdp" / file
        path.rename(tmp_path / file)
        with pytest.raises(BadInput, match=f"has no {file}"):
            Wmdp().data("cyber", source)
        (tmp_path / file).rename(path)
        assert asked_of_the_hub.pop() == expected


def test_a_gated_corpus_says_so(data, source, asked_of_the_hub, tmp_path):
    (tmp_path / "data/wmdp/bio_forget.json").unlink()
    with pytest.raises(
        BadInput, match=r"is gated: ask for access .* or put the texts into wmdp/bio_forget\.json"
    ):
        Wmdp().data("bio", source)
    assert asked_of_the_hub == [(GATED[0], None, "train", GATED[1])]


@pytest.mark.parametrize(
    ("file", "rows", "message"),
    [
        (
            "bio",
            [question("bio", n) for n in range(9)],
            r"bio\.json: found 9 questions, at least 10 are needed",
        ),
        (
            "bio",
            [question("bio", n, n) for n in range(9)],
            r"bio\.json: line 5: 4 choices and an answer from 0 to 3",
        ),
        (
            "bio",
            [question("bio", 1, "C")],
            r"bio\.json: line 1: answer: found 'C', a whole number is needed",
        ),
        (
            "bio_retain",
            [{"texts": "a"}],
            r"bio_retain\.json: line 1: text: found nothing, a text is needed",
        ),
    ],
)
def test_wrong_files_are_named(data, source, file, rows, message):
    data(file, rows)
    with pytest.raises(BadInput, match=message):
        Wmdp().data("bio", source)
