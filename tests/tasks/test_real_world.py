"""Well-known people: the loader on a few synthetic rows, the replacement of names, and the
published data if available.
"""

from dataclasses import replace

import pytest

from benchmark.core.examples import to_examples
from benchmark.data.persons import names_person, renamed
from benchmark.errors import BadInput
from tasks.real_world.task import (
    FORGET,
    NEIGHBOURS,
    PERTURBED,
    REHEARSED,
    RealWorld,
    RealWorldSmall,
    rows,
)

PERSONS = ("Ada Marsh", "Ben Hughes", "J. J. Cole", "Cher")


def plain(name, number, **more):
    question = f"What is {name}'s film {number}?"
    return {
        "name": name,
        "question": question,
        "answer": "long",
        "golden_answer": f"{name} made film {number}.",
        **more,
    }


def perturbed(name, number, **more):
    reworded = {
        "paraphrased_question": f"Which film {number} is by {name}?",
        "paraphrased_answer": f"Film {number}.",
    }
    wrong = {"perturbed_answer": [f"{name.split()[-1]} made book {n}." for n in range(5)]}
    return plain(name, number, **reworded, **wrong) | more


def of(persons, row=perturbed):
    return [row(name, number) for name in persons for number in range(3)]


@pytest.fixture
def data(write_data):
    def write(name, found):
        write_data(f"real_world/{name}", found)

    write(FORGET, of(PERSONS))
    write(NEIGHBOURS, of([f"Neighbour Number{n}" for n in "ABCDE"]))
    write(REHEARSED, of(["Somebody Else", "Neighbour NumberE"], plain))
    return write


def test_sizes(data, source):
    made = RealWorld().data("", source)
    found = {name: len(made.splits[name]) for name in ("forget", "retain", "neighbors", "holdout")}
    assert found == {"forget": 12, "retain": 6, "neighbors": 9, "holdout": 12}
    assert made.documents == ()


def test_the_small_task_has_the_first_questions_about_the_first_people(data, source):
    many = [perturbed(f"Person Number{p}", n) for n in range(10) for p in "ABCDEFG"]
    nameless = perturbed("Person NumberA", 99, question="When was the war?")
    data(FORGET, [nameless, *many])
    made = RealWorldSmall().data("", source)
    asked = [(row["entity"], row["prompt"]) for row in made.splits["forget"]]
    assert asked == [
        (f"Person Number{p}", f"What is Person Number{p}'s film {n}?")
        for p in "ABCDE"
        for n in range(8)
    ]
    assert len(made.splits["retain"]) == 2 * 3
    assert len(made.splits["neighbors"]) == 3 * 3
    assert [len(proxy) for proxy in made.proxies] == [40] * 3


def test_whom_only_the_large_task_asks_about_is_no_retain_pool_of_the_small_one(data, source):
    """The small task's retain pool leaves out everyone in the evaluation files, even people whom
    only the large task asks about.
    """
    data(NEIGHBOURS, of([f"Neighbour Number{n}" for n in "ABCDEFG"]))
    data(REHEARSED, of(["Somebody Else", "Neighbour NumberG"], plain))
    pool = set(RealWorldSmall().data("", source).retain_pool["entity"])
    assert pool == {"Neighbour NumberA", "Neighbour NumberB", "Somebody Else"}


def test_only_retained_persons_are_rehearsed(data, source):
    made = RealWorld().data("", source)
    persons = {name: set(made.splits[name]["entity"]) for name in ("retain", "neighbors")}
    assert set(made.retain_pool["entity"]) == persons["retain"] | {"Somebody Else"}
    assert not persons["retain"] & persons["neighbors"]


def test_development_forgets_the_neighbours(data, development):
    made = RealWorld().data("", development)
    assert set(made.splits["forget"]["entity"]) == {f"Neighbour Number{n}" for n in "ABCDE"}
    assert set(made.splits["retain"]["entity"]) == set(PERSONS[:2])


def test_proxies_ask_the_same_of_persons_who_never_existed(data, source):
    made = RealWorld().data("", source)
    asked = {name: set() for name in PERSONS}
    for stand_ins in (*map(to_examples, made.proxies), made.examples("holdout")):
        for real, other in zip(made.examples("forget"), stand_ins, strict=True):
            texts = (
                other.prompt,
                other.answer,
                *other.paraphrases,
                *other.rewordings,
                *other.perturbed,
            )
            assert not any(names_person(text, real.entity) for text in texts)
            assert other.prompt.endswith(real.prompt.rpartition("'s")[2])
            asked[real.entity].add(other.prompt.partition("'s")[0])
    assert [len(names) for names in asked.values()] == [4] * len(PERSONS)
    assert len(made.proxies) == 3


def test_proxies_keep_what_wrong_answers_are_compared_with(data, source):
    made = RealWorld().data("", source)
    for real, other in zip(made.examples("forget"), to_examples(made.proxies[0]), strict=True):
        assert (other.id, other.strata, len(other.perturbed)) == (real.id, real.strata, 5)
        assert len(other.paraphrases) == len(real.paraphrases) == 1


def test_questions_that_name_nobody_are_left_out(data, source):
    data(FORGET, [*of(PERSONS), perturbed("Ada Marsh", 9, question="When was the war?")])
    assert "When was the war?" not in RealWorld().data("", source).splits["forget"]["prompt"]


def test_wordings_that_name_nobody_are_left_out(data, source):
    data(FORGET, [perturbed("Ada Marsh", n, paraphrased_question="Who is it?") for n in range(3)])
    assert all(
        e.paraphrases == () and e.rewordings
        for e in RealWorld().data("", source).examples("forget")
    )


def test_an_answer_that_was_not_reworded_is_no_rewording(data, source):
    same = [
        perturbed("Ada Marsh", n, paraphrased_answer=f"Ada Marsh made film {n}.") for n in range(2)
    ]
    data(FORGET, [*same, perturbed("Ada Marsh", 2)])
    found = RealWorld().data("", source).examples("forget")
    assert [len(e.rewordings) for e in found] == [0, 0, 1]
    assert found[0].wordings[0].prompt == "Which film 0 is by Ada Marsh?"


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("When was Ada Marsh born?", "Ada Marsh", "When was Kela Ulmeward born?"),
        (
            "What did Marsh's aunt say to Ada Marsh?",
            "Ada Marsh",
            "What did Ulmeward's aunt say to Kela Ulmeward?",
        ),
        ("Ada Lovelace and the Marshlands", "Ada Marsh", "Ada Lovelace and the Marshlands"),
        (
            "Ben Hughes' and Ben Hughes's and Ben Hughes’ books",
            "Ben Hughes",
            "{0}'s and {0}'s and {0}'s books",
        ),
        ("'He was Ben Hughes'", "Ben Hughes", "'He was Kela Ulmeward'"),
        ("Alex Van Halen of Van Halen", "Eddie Van Halen", "Alex Ulmeward of Ulmeward"),
        ("J. J. Cole and J. K. Rowling", "J. J. Cole", "Kela Ulmeward and J. K. Rowling"),
        ("Johann Strauss II in World War II", "Johann Strauss II", "Kela Ulmeward in World War II"),
        ("Cher's songs", "Cher", "Kela Ulmeward's songs"),
    ],
)
def test_names_are_replaced_with_their_parts_and_possessives(text, name, expected):
    assert renamed(text, name, "Kela Ulmeward") == expected.format("Kela Ulmeward")


@pytest.mark.parametrize(
    ("file", "row", "message"),
    [
        (
            FORGET,
            {"name": "Ada Marsh"},
            "forget_perturbed.json: line 1: question: found nothing, a text is needed",
        ),
        (
            FORGET,
            perturbed("Ada Marsh", 1, perturbed_answer="Lie."),
            "perturbed_answer: found 'Lie.', a list of texts",
        ),
        (
            REHEARSED,
            plain("Ada Marsh", 1, golden_answer=None),
            "neighbor.json: line 1: golden_answer: found None",
        ),
    ],
)
def test_wrong_rows_are_named(data, source, file, row, message):
    data(file, [row])
    with pytest.raises(BadInput, match=message):
        RealWorld().data("", source)


def test_a_missing_file_is_named(write_data, source):
    with pytest.raises(BadInput, match=r"real_world: .* has no forget_perturbed\.json"):
        RealWorld().data("", source)


def test_published_persons(real_source):
    source = real_source("real_world", FORGET)
    made = RealWorld().data("", source)
    found = {name: len(made.splits[name]) for name in ("forget", "retain", "neighbors", "holdout")}
    assert found == {
        "forget": 380,
        "retain": 140,
        "neighbors": 260,
        "holdout": 380,
    }
    assert len(made.retain_pool) == 540
    assert len(RealWorld().data("", replace(source, development=True)).splits["forget"]) == 382


def test_published_paraphrases_that_are_none(real_source):
    inputs = real_source("real_world", FORGET).inputs
    found = [rows(inputs, file, **PERTURBED) for file in (FORGET, NEIGHBOURS)]
    assert [sum(r["paraphrased_answer"] == r["golden_answer"] for r in own) for own in found] == [
        133,
        112,
    ]
