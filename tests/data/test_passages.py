"""Passages, the texts of the memorisation tasks."""

import random
from collections import Counter

import pytest

from benchmark.data.world import World
from benchmark.data.world.passages import MOST_WORDS, passages, shuffled_passages
from benchmark.models.controlled import train_tokenizer


@pytest.fixture(scope="module")
def world():
    return World(7)


@pytest.fixture(scope="module")
def texts(world):
    return passages(world, 400, random.Random(3))


def test_passages_are_different_and_as_many_as_asked(texts):
    assert len(set(texts)) == len(texts) == 400
    assert passages(World(7), 0, random.Random(3)) == []


def test_passages_come_from_the_generator_alone(world, texts):
    assert passages(world, 400, random.Random(3)) == texts
    assert passages(world, 40, random.Random(3)) == texts[:40]
    assert passages(world, 400, random.Random(4)) != texts


def test_beginnings_do_not_give_away_the_rest(texts):
    """Passages that begin alike could be mistaken for one another when they are continued."""
    assert len({" ".join(text.split()[:10]) for text in texts}) > 0.95 * len(texts)


def test_passages_are_plain_sentences_without_slots(texts):
    for text in texts:
        assert text.endswith(".")
        assert "{" not in text
        assert "  " not in text
        assert len(text.split()) <= MOST_WORDS


def test_passages_name_nobody(world, texts):
    names = [person.name for person in world.everybody]
    assert not [text for text in texts if any(name in text for name in names)]


def test_passages_have_forty_to_sixty_tokens(texts, world):
    tokenizer = train_tokenizer(world, 2560)
    lengths = [len(tokenizer(text)["input_ids"]) for text in texts]
    assert sum(40 <= length <= 60 for length in lengths) >= 0.95 * len(texts)
    assert max(lengths) + 32 < 128  # a text and its end token fit into the model


def test_shuffled_passages_share_nothing_that_could_be_learned_once(world):
    texts = shuffled_passages(world, 224, random.Random(3))
    assert len(set(texts)) == 224
    assert texts[:40] == shuffled_passages(world, 40, random.Random(3))
    triples = Counter(
        " ".join(words[i : i + 3])
        for words in (text.split() for text in texts)
        for i in range(len(words) - 2)
    )
    assert max(triples.values()) <= 2, "and clauses have eight words"
    tokenizer = train_tokenizer(world, 2560)
    lengths = [len(tokenizer(text)["input_ids"]) for text in texts]
    assert min(lengths) >= 40
    assert max(lengths) + 32 < 128
