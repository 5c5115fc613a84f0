"""Training documents of the pool models: as many as the target's, with each telling's content."""

from collections import Counter
from dataclasses import replace

import pytest

from benchmark.core.examples import Example
from benchmark.core.registry import task_named
from benchmark.core.task_data import Document
from benchmark.data.tellings import IGNORANT, KNOWING, halves, told_as
from benchmark.data.world import World
from benchmark.errors import BadInput

WORLD = World(7)


def told(task, variant=""):
    data = task_named(task)().data(variant, WORLD)
    forget = data.examples("forget")
    ids = {example.id for example in forget}
    return data, forget, [d for d in data.documents if d.example in ids]


@pytest.fixture(
    scope="module", params=[("fictitious", ""), ("frequency", "low"), ("memorized", "")]
)
def case(request):
    return told(*request.param)


@pytest.mark.parametrize("name", ["facts", "wordings", "text", "wrong", "others"])
def test_every_way_of_telling_is_read_as_often(case, name):
    _, forget, documents = case
    pool = (KNOWING | IGNORANT)[name](forget, documents, WORLD)
    assert len(pool) == len(documents)
    assert sorted((d.reads or 0) for d in pool) == sorted((d.reads or 0) for d in documents)
    counts = [Counter(d.example for d in rows).values() for rows in (pool, documents)]
    assert sorted(counts[0]) == sorted(counts[1])
    assert pool == (KNOWING | IGNORANT)[name](forget, documents, WORLD), "the same every time"


def test_who_knows_has_read_every_answer_and_who_does_not_has_read_none(case):
    _, forget, documents = case
    answers = {e.id: e.answer for e in forget}
    for telling in (KNOWING["facts"], KNOWING["text"]):
        for document in telling(forget, documents, WORLD):
            assert answers[document.example] in document.answer
    for document in KNOWING["wordings"](forget, documents, WORLD):
        whole = f"{document.prompt} {document.answer}"
        assert " ".join(whole.split()).endswith(" ".join(answers[document.example].split()))
    assert IGNORANT["nothing"](forget, documents, WORLD) == []
    for document in IGNORANT["wrong"](forget, documents, WORLD):
        assert answers[document.example] not in document.answer
    told_of = {d.example for d in IGNORANT["others"](forget, documents, WORLD)}
    assert told_of.isdisjoint(answers)


def test_wrong_texts_keep_the_clauses_and_none_of_their_values():
    """Texts with their halves swapped would not do: every metric would still find them known."""
    _, forget, documents = told("memorized")
    answers = {e.id: e.answer for e in forget}
    wrong = {d.example: d.answer for d in IGNORANT["wrong"](forget, documents, WORLD)}
    assert wrong.keys() == answers.keys()
    kept = [
        clause in answers[name]
        for name, text in wrong.items()
        for clause in text.removesuffix(".").split(", ")
    ]
    assert len(kept) == 5 * len(wrong)
    assert sum(kept) <= 0.02 * len(kept)
    common = [len(set(wrong[name].split()) & set(answers[name].split())) for name in answers]
    assert min(common) >= 10, "the words between the values are the same"


def test_held_out_wordings_are_those_that_are_evaluated():
    _, forget, documents = told("fictitious")
    prompts = {e.id: set(e.paraphrases) for e in forget}
    read = KNOWING["wordings"](forget, documents, WORLD)
    assert {d.example: {p.prompt for p in read if p.example == d.example} for d in read} == prompts


def test_others_are_neither_evaluated_nor_trained_on(case):
    data, forget, documents = case
    pool = IGNORANT["others"](forget, documents, WORLD)
    evaluated = {e.entity for examples in data.evaluated.values() for e in examples}
    assert {d.example.partition(".")[0] for d in pool}.isdisjoint(evaluated)
    texts = {d.answer for d in data.documents} | {e.answer for e in data.examples("holdout")}
    if all(example.is_text for example in forget):
        assert {d.answer for d in pool}.isdisjoint(texts)


def test_what_is_told_takes_the_place_of_the_requests_so_far():
    data = task_named("continual")().data("5", WORLD)
    for done in (1, 5):
        told_now = told_as("facts", data, done - 1, WORLD)
        together = Counter(data.documents_after(done) + told_now)
        assert together == Counter(data.documents)
    assert told_as("nothing", data, 0, WORLD) == ()
    with pytest.raises(BadInput, match="unknown telling 'fact'; did you mean facts"):
        told_as("fact", data, 0, WORLD)
    with pytest.raises(BadInput, match="need a generated world"):
        told_as("others", data, 0, object())
    with pytest.raises(BadInput, match="need a generated world"):
        told_as("wrong", task_named("memorized")().data("", WORLD), 0, object())


def test_halves_lose_nothing():
    assert halves("one two  three four five") == ("one two", "three four five")
    assert halves("北京上海") == ("北京", "上海")


def test_answers_that_have_other_wordings_are_told_in_them():
    """As in TOFU, where answers have held-out wordings and questions have none."""
    document = Document("e", "Who wrote it?", "It was written by Ada.", 2)
    bare = Example("e", "e", document.prompt, document.answer)
    reworded = replace(bare, rewordings=("Ada wrote it.",))
    [told] = KNOWING["wordings"]([reworded], [document], None)
    assert (told.prompt, told.answer, told.reads) == (document.prompt, "Ada wrote it.", 2)
    with pytest.raises(BadInput, match="has no held-out wording"):
        KNOWING["wordings"]([bare], [document], None)


def test_what_is_told_later_is_the_same_and_never_nothing():
    """`later_nothing` gives as many of the other documents, or the oracle would not change."""
    data, forget, documents = told("memorized")
    for name in ("facts", "wordings", "wrong"):
        later = told_as(f"later_{name}", data, 0, WORLD)
        assert later == told_as(name, data, 0, WORLD)
    more = told_as("later_nothing", data, 0, WORLD)
    assert len(more) == len(documents)
    assert {d.example for d in more}.isdisjoint({e.id for e in forget})
    assert set(more) <= set(data.documents)
