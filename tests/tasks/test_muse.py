"""The MUSE loader on a few synthetic texts: who reads what, what methods are given, and the
messages for invalid files.
"""

import pytest

from benchmark.errors import BadInput
from tasks.muse.task import SOURCES, WORDS, Muse

SPLITS = ("forget", "retain", "retain_eval", "holdout")


def words(name, count):
    return " ".join(f"{name}{n}" for n in range(count))


def text(name, count=400):
    return {"text": words(name, count)}


@pytest.fixture
def data(write_data):
    def write(name, rows):
        write_data(f"muse/news_{name}.json", rows)

    write(
        "verbmem_forget",
        [{"prompt": words(f"p{n}-", 600), "gt": words(f"g{n}-", 40)} for n in range(10)],
    )
    write(
        "knowmem_retain_qa", [{"question": f"Who is {n}?", "answer": f"Name {n}"} for n in range(9)]
    )
    write("privleak_retain", [text(f"r{n}-") for n in range(3)])
    write("privleak_holdout", [text(f"h{n}-") for n in range(30)])
    write("raw_forget", [text(f"f{n}-", 1000) for n in range(2)])
    write("raw_retain1", [text(f"k{n}-", 1000) for n in range(4)])
    write("raw_retain2", [text(f"s{n}-", 1000) for n in range(4)])
    return write


def test_sizes(data, source):
    made = Muse().data("news", source)
    found = {name: len(made.splits[name]) for name in SPLITS}
    assert found == {"forget": 5, "retain": 9, "retain_eval": 9, "holdout": 90}
    assert len(made.forget_pool) == len(made.retain_pool) == 2 * round(1000 / WORDS)
    assert len(made.documents) == 4 * len(made.forget_pool)


def test_passages_end_with_what_is_to_be_continued(data, source):
    first = Muse().data("news", source).examples("forget")[0]
    assert (first.prompt, len(first.answer.split())) == ("", WORDS)
    assert first.answer.endswith(f"p0-599 {words('g0-', 40)}")


def test_pieces_are_the_texts_as_they_stand(data, source):
    data("raw_forget", [{"text": "One.\n\n" + words("f", 200)}, text("e", 300)])
    made = Muse().data("news", source)
    assert [len(piece.split()) for piece in made.forget_pool["answer"]] == [201, 150, 150]
    assert made.forget_pool["answer"][0] == "One.\n\n" + words("f", 200)


def test_an_oracle_reads_nothing_of_what_is_to_be_forgotten(data, source):
    made = Muse().data("news", source)
    left = {document.answer for document in made.documents_after(1)}
    assert not left & set(made.forget_pool["answer"])
    assert left | set(made.forget_pool["answer"]) == {
        document.answer for document in made.documents
    }
    assert set(made.retain_pool["answer"]) < left


def test_methods_are_given_the_corpus_and_no_model_reads_the_holdout(data, source):
    made = Muse().data("news", source)
    assert [e.answer for e in made.asked(0)] == list(made.forget_pool["answer"])
    read = " ".join(document.answer for document in made.documents).split()
    assert not {word for e in made.examples("holdout") for word in e.answer.split()} & set(read)


def test_questions_have_the_answers_to_others_as_wrong_ones(data, source):
    made = Muse().data("news", source)
    for example in made.examples("retain_eval"):
        assert len(set(example.perturbed) - {example.answer}) == 5


def test_development_forgets_other_passages(data, source, development):
    scored, developed = (
        set(Muse().data("news", where).splits["forget"]["answer"])
        for where in (source, development)
    )
    assert not scored & developed
    assert len(developed) == 5


@pytest.mark.parametrize("variant", SOURCES)
def test_the_hub_is_asked_for_a_pinned_revision(write_data, source, asked_of_the_hub, variant):
    with pytest.raises(
        BadInput,
        match=rf"muse: .* has no {variant}_verbmem_forget\.json, and {SOURCES[variant][0]}",
    ):
        Muse().data(variant, source)
    repo, revision = SOURCES[variant]
    assert asked_of_the_hub == [(repo, "verbmem", "forget", revision)]


@pytest.mark.parametrize(
    ("file", "rows", "message"),
    [
        (
            "verbmem_forget",
            [{"prompt": "a", "gt": "b"}] * 3,
            "found 3 passages of news, at least 4 are needed",
        ),
        (
            "verbmem_forget",
            [{"prompt": "a"}],
            r"news_verbmem_forget\.json: line 1: gt: found nothing, a text is needed",
        ),
        (
            "raw_forget",
            [{"text": ["a"]}],
            r"news_raw_forget\.json: line 1: text: found \['a'\], a text is needed",
        ),
        ("privleak_holdout", [], r"news_privleak_holdout\.json: found no rows"),
    ],
)
def test_wrong_files_are_named(data, source, file, rows, message):
    data(file, rows)
    with pytest.raises(BadInput, match=message):
        Muse().data("news", source)
