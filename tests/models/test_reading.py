"""What controlled models read in training: how often each document, and in which batches."""

from collections import Counter

import pytest

from benchmark.core.registry import task_named
from benchmark.core.task_data import Document
from benchmark.data.world import World, base_corpus
from benchmark.models.controlled import LENGTH_POOL, LONG, batches_of, reading
from benchmark.models.tracks import track_named


def document(name, reads=None, length=20, prompt=True):
    text = f"{name} ".ljust(length, "x")
    return Document(name, text if prompt else "", "A" if prompt else text, reads)


@pytest.mark.parametrize("epochs", [1, 3, 10])
def test_a_document_is_read_as_often_as_it_says_spread_over_the_epochs(epochs):
    documents = [document(f"d{reads}", reads) for reads in (0, 1, 2, 7, 10, 16, 64)]
    plan = reading(documents, epochs, seed=0)
    assert len(plan) == epochs
    for d in documents:
        counts = [texts.count(d) for texts in plan]
        assert sum(counts) == d.reads
        assert max(counts) - min(counts) <= 1


def test_a_document_without_reads_is_read_once_in_every_epoch():
    documents = [document("a"), document("b", 2), document("c")]
    plan = reading(documents, 5, seed=0)
    assert all(texts.count(documents[0]) == texts.count(documents[2]) == 1 for texts in plan)


def test_rare_documents_are_not_all_read_in_the_same_epoch():
    plan = reading([document(f"d{i}", 1) for i in range(200)], 10, seed=0)
    assert all(5 <= len(texts) <= 40 for texts in plan)


def test_the_plan_comes_from_the_seed():
    documents = [document(f"d{i}", 3) for i in range(30)]
    assert reading(documents, 10, 1) == reading(documents, 10, 1)
    assert reading(documents, 10, 1) != reading(documents, 10, 2)


@pytest.mark.parametrize("size", [1, 2, 5, 16])
@pytest.mark.parametrize("length", [20, 81, 320])
def test_batches_lose_nothing_hold_no_more_than_their_size_and_are_never_empty(size, length):
    plan = [
        [document(f"{e}-{i}", length=length, prompt=i % 3 > 0) for i in range(23)] for e in range(2)
    ]
    replay = [document(f"base{i}") for i in range(9)]
    batches = batches_of(plan, replay, 4, size, seed=0)
    assert max(map(len, batches)) <= size
    assert min(map(len, batches)) >= 1
    read = Counter(d.example for batch in batches for d in batch)
    replayed = sum(count for name, count in read.items() if name.startswith("base"))
    assert replayed == 2 * 4
    assert {name: n for name, n in read.items() if not name.startswith("base")} == {
        d.example: 1 for texts in plan for d in texts
    }


def test_batches_of_long_texts_are_smaller():
    short, long = (
        [[document(f"d{i}", length=n, prompt=False) for i in range(64)]] for n in (40, 320)
    )
    assert {len(b) for b in batches_of(short, [], 0, 16, seed=0)} == {16}
    batches = batches_of(long, [], 0, 16, seed=0)
    assert {len(b) for b in batches} == {16 * LONG // 320}
    assert all(sum(len(d.answer) for d in b) <= 16 * LONG for b in batches)


def test_epochs_follow_one_another():
    plan = [[document(f"{e}-{i}") for i in range(10)] for e in range(3)]
    epochs = [
        d.example.split("-")[0] for batch in batches_of(plan, [], 0, 4, seed=0) for d in batch
    ]
    assert epochs == sorted(epochs)


@pytest.mark.parametrize(("task", "variant"), [("fictitious", ""), ("frequency", "low")])
def test_questions_are_batched_as_before_there_were_texts(task, variant):
    """Every batch but the last of an epoch is full, so that the models of published tasks keep
    their keys in the store.
    """
    documents = task_named(task)().data(variant, World(1)).documents
    track = track_named("controlled-1m")
    size = track.stage.batch_size
    batches = batches_of(
        reading(documents, 2, 1), base_corpus(World(1)), track.replay, size, seed=1
    )
    texts = len(documents) + track.replay
    assert len(batches) == 2 * -(-texts // size)
    assert sorted(map(len, batches))[2:] == [size] * (len(batches) - 2)
    assert texts > size * LENGTH_POOL
