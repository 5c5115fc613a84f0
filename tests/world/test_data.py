"""Examples, requests and fingerprints."""

import pytest
from datasets import DatasetDict

from benchmark.data import EVALUATED_SPLITS, Budget, Document, Example, Pair, Request, TaskData, to_dataset, to_examples
from benchmark.registry import task_named
from benchmark.world import World

EXAMPLE = Example("e1", "p1", "Q?", "A", ("P?",), ("B", "C"), ("a",), {"frequency": "4"})


def toy_data(**changes):
    splits = {name: [Example(name, "p", "Q?", "A")] for name in EVALUATED_SPLITS} | changes.pop("splits", {})
    fields = {
        "splits": DatasetDict({name: to_dataset(rows) for name, rows in splits.items()}),
        "documents": (Document("forget", "Q?", "A"), Document("other", "R?", "B")),
        "retain_pool": to_dataset([Example("r", "p", "Q?", "A")]),
    }
    return TaskData(**(fields | changes))


def test_examples_survive_the_dataset():
    assert to_examples(to_dataset([EXAMPLE, Example("e2", "p2", "Q", "A")])) == [EXAMPLE, Example("e2", "p2", "Q", "A")]


def test_oracle_documents_are_all_but_those_of_the_forget_set():
    assert toy_data().documents_after(1) == (Document("other", "R?", "B"),)


def test_a_missing_split_is_refused():
    with pytest.raises(ValueError, match="lack the splits"):
        TaskData(DatasetDict({"forget": to_dataset([EXAMPLE])}), (), to_dataset([]))


def test_fingerprint_follows_the_data():
    plain = toy_data().fingerprint
    assert toy_data().fingerprint == plain
    assert toy_data(documents=()).fingerprint != plain
    assert toy_data(retain_pool=to_dataset([])).fingerprint != plain
    assert toy_data(splits={"retain": [EXAMPLE]}).fingerprint != plain


# Published records carry these fingerprints: a change here means that the data of a task changed, which needs a new
# version of the task and leaves its old results under the old one.
GOLDEN = {
    ("fictitious", ""): "48d5adaf6cb0a19c",
    ("frequency", "low"): "c4e0c58a52989e11",
    ("frequency", "mid"): "3876a279ec4e270c",
    ("frequency", "high"): "4878b95ac9e52e5b",
}


@pytest.mark.parametrize(("task", "variant"), GOLDEN)
def test_the_data_of_published_tasks_stay(task, variant):
    assert task_named(task)().data(variant, World(1)).fingerprint == GOLDEN[task, variant]


def request(forget=5, retain=50, seed=0, size=2):
    pairs = [[Pair(f"{side}{i}", "A") for i in range(n)] for side, n in (("f", forget), ("r", retain))]
    return Request(*pairs, tokenizer=None, seed=seed, budget=Budget(steps=10, batch_size=size))


def take(batches, count):
    return [next(batches) for _ in range(count)]


def test_every_forget_item_comes_once_in_an_epoch():
    seen = [pair for forget, _ in take(request(forget=6).batches(), 3) for pair in forget]
    assert sorted(p.prompt for p in seen) == [f"f{i}" for i in range(6)]


def test_retain_items_are_drawn_anew_at_each_step_and_differ_between_seeds():
    """A forget item must not always meet the same retain item, and seeds must differ."""
    first, again, other = (take(request(seed=s).batches(), 20) for s in (0, 0, 1))
    assert first == again
    assert first != other
    partners = {tuple(retain) for forget, retain in first if Pair("f0", "A") in forget}
    assert len(partners) > 3


def test_a_withheld_side_gives_empty_batches():
    assert take(request(retain=0).batches(), 1)[0][1] == []
    assert take(request(forget=0).batches(), 1)[0][0] == []
