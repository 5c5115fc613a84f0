"""The RWKU loader on a few synthetic people: who is asked about on which level, what is kept, and
what methods are given.
"""

import pytest

from benchmark.errors import BadInput
from tasks.rwku.task import WORDS, Rwku

PERSONS = [f"Ada Marsh{x}" for x in "abcdefghijklmnopqrstuvwxyz"]
NEAR = ("Bo Kel", "Cy Orm", "Di Tor")


def question(person, level, number, **more):
    asked = {"1": f"{person} was born in ___ {number}", "2": f"Where was {person} born {number}?"}
    query = asked.get(level, f"As a guide, tell me where {person} was born {number}.")
    answer = f"{person} Town {level}{number}"
    return {"query": query, "answer": answer, "level": level, "subject": person, **more}


@pytest.fixture
def data(write_data):
    """Files of 26 people; the neighbours of each are three others and the next person."""

    def write(name, rows):
        write_data(f"rwku/{name}.json", rows)

    write("forget_target", [{"target": person, "intro": "?"} for person in PERSONS])
    for level in "123":
        write(f"forget_level{level}", [question(p, level, n) for p in PERSONS for n in range(3)])
    for level in "12":
        near = [
            question(who, level, n, subject=person, neighbor=who)
            for person, after in zip(PERSONS, [*PERSONS[1:], PERSONS[0]], strict=True)
            for who in (*(f"{name} {person}" for name in NEAR), after)
            for n in range(2)
        ]
        write(f"neighbor_level{level}", near)
    texts = [{"text": " ".join([p] * (WORDS // 2)), "subject": p} for p in PERSONS]
    write("train_original_passage", texts)
    return write


def test_each_person_is_asked_about_on_three_levels(data, source):
    made = Rwku().data("1", source)
    forget = made.examples("forget")
    assert {e.entity for e in forget} == {PERSONS[0]}
    assert [e.strata["level"] for e in forget] == ["blank"] * 3 + ["question"] * 3 + ["attack"] * 3
    first = forget[0]
    assert first.prompt == f"Complete the blank in this sentence. {PERSONS[0]} was born in ___ 0"
    assert len(first.perturbed) == 5
    assert first.answer not in first.perturbed
    assert len(made.proxies) == 3
    for proxy in (*made.proxies, made.splits["holdout"]):
        assert not any(PERSONS[0] in prompt for prompt in proxy["prompt"])


def test_neighbours_who_are_forgotten_are_not_kept(data, source):
    made = Rwku().data("10", source)
    chosen = set(PERSONS[:10])
    kept = [e for split in ("retain", "neighbors", "general") for e in made.examples(split)]
    assert chosen.isdisjoint(e.entity for e in kept)
    near = {e.entity for split in ("retain", "neighbors") for e in made.examples(split)}
    assert near == {f"{name} {p}" for name in NEAR for p in chosen} | {PERSONS[10]}
    rehearsed = {e.entity for e in made.examples("retain")}
    assert rehearsed.isdisjoint(e.entity for e in made.examples("neighbors"))
    assert {e.entity for e in made.examples("general")} == set(PERSONS[10:])


def test_methods_are_given_passages_and_not_questions(data, source):
    made = Rwku().data("10", source)
    assert [text.split()[1] for text in made.forget_pool["answer"]] == [
        person.split()[1] for person in PERSONS[:10]
    ]
    texts = [row["answer"] for row in made.retain_pool if not row["prompt"]]
    assert len(texts) == 10
    assert not any(person in text for person in PERSONS[:10] for text in texts)


def test_development_forgets_other_persons(data, source, development):
    scored, tried = (
        {e.entity for e in Rwku().data("10", s).examples("forget")} for s in (source, development)
    )
    assert scored == set(PERSONS[:10])
    assert tried == set(PERSONS[-10:])


def test_questions_without_the_person_and_long_answers_are_left_out(data, source):
    rows = [question(PERSONS[0], "2", n) for n in range(4)]
    rows[0]["query"], rows[1]["answer"] = "Where was the author born?", "very " * 20 + "far"
    data("forget_level2", rows + [question(p, "2", n) for p in PERSONS[1:] for n in range(3)])
    asked = [e for e in Rwku().data("1", source).examples("forget") if "Where" in e.prompt]
    assert [e.prompt for e in asked] == [row["query"] for row in rows[2:]]


@pytest.mark.parametrize(
    ("file", "rows", "message"),
    [
        ("forget_level1", [{"query": "?", "answer": "!"}], "line 1: subject: found nothing"),
        ("forget_target", [{"target": "One"}], "found 1 persons, 2 are needed"),
        ("train_original_passage", [], "found no rows"),
    ],
)
def test_wrong_files_are_told(data, source, file, rows, message):
    data(file, rows)
    with pytest.raises(BadInput, match=message):
        Rwku().data("1", source)
