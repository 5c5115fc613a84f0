"""Examples, requests and fingerprints."""

from dataclasses import replace

import pytest

from benchmark.core.examples import ROLES, Example, Pair, Question, to_dataset, to_examples
from benchmark.core.registry import task_named
from benchmark.core.request import Budget, Request
from benchmark.core.task_data import Document, TaskData
from benchmark.data.world import World
from benchmark.errors import BadInput

EXAMPLE = Example("e1", "p1", "Q?", "A", ("P?",), ("B", "C"), ("a",), {"frequency": "4"})


def toy_data(**changes):
    splits = {role: [Example(role, "p", "Q?", "A")] for role in ROLES}
    fields = {
        "splits": splits | changes.pop("splits", {}),
        "documents": (Document("forget", "Q?", "A"), Document("other", "R?", "B")),
        "retain_pool": [Example("r", "p", "Q?", "A")],
        "answers": "name",
    }
    return TaskData.of(**(fields | changes))


def test_examples_survive_the_dataset():
    assert to_examples(to_dataset([EXAMPLE, Example("e2", "p2", "Q", "A")])) == [
        EXAMPLE,
        Example("e2", "p2", "Q", "A"),
    ]


def test_oracle_documents_are_all_but_those_of_the_forget_set():
    assert toy_data().documents_after(1) == (Document("other", "R?", "B"),)


def test_a_missing_split_is_refused():
    with pytest.raises(ValueError, match="lack the splits"):
        TaskData.of({"forget": [EXAMPLE]}, (), [], answers="name")


def test_fingerprint_follows_the_data():
    plain = toy_data().fingerprint
    assert toy_data().fingerprint == plain
    assert toy_data(documents=()).fingerprint != plain
    assert toy_data(retain_pool=[]).fingerprint != plain
    assert toy_data(splits={"retain": [EXAMPLE]}).fingerprint != plain


def test_probes_are_no_part_of_the_fingerprint():
    """They belong to the outputs of the attacks that use them, so new probes can be added."""
    probed = replace(EXAMPLE, probes={"reverse": Question("Whose is A?", "Q")})
    splits = [{"forget": [example]} for example in (EXAMPLE, probed)]
    assert len({toy_data(splits=rows).fingerprint for rows in splits}) == 1
    assert toy_data(splits=splits[1]).examples("forget")[0].probes == probed.probes


def three_people(**changes):
    """Three forget examples with one document each, and a fourth document that is not to be
    forgotten.
    """
    forget = [Example(f"f{i}", f"p{i}", "Q?", "A") for i in range(3)]
    documents = tuple(Document(name, f"{name}?", "A") for name in ("f0", "f1", "f2", "other"))
    return toy_data(**({"splits": {"forget": forget}, "documents": documents} | changes))


def asks(*requests):
    return tuple(frozenset(request.split()) for request in requests)


def test_without_requests_there_is_one_for_all():
    assert three_people().requests == asks("f0 f1 f2")
    assert three_people(requests=asks("f0 f1 f2")).fingerprint == three_people().fingerprint


@pytest.mark.parametrize(
    "requests",
    [
        asks("f0", "f1"),  # no request contains f2
        asks("f0 f1", "f1 f2"),  # two requests contain f1
        asks("f0", "f1", "f2", "other"),  # `other` is not in the forget set
        asks("f0", "f1", "f2 f3"),  # f3 is unknown
    ],
)
def test_requests_must_partition_the_forget_set(requests):
    with pytest.raises(ValueError, match="in exactly one request"):
        three_people(requests=requests)


def test_a_request_for_nothing_is_refused():
    with pytest.raises(ValueError, match="request"):
        three_people(requests=asks("f0 f1", "", "f2"))


def test_the_documents_of_the_first_requests_are_dropped_and_no_others():
    data = three_people(requests=asks("f2", "f0 f1"))
    read = [[d.example for d in data.documents_after(i)] for i in range(3)]
    assert read == [["f0", "f1", "f2", "other"], ["f0", "f1", "other"], ["other"]]
    assert data.documents_after(0) == data.documents


def test_a_split_of_questions_and_texts_is_refused():
    text = Example("b", "p", "", "A text.")
    with pytest.raises(BadInput, match=r"split retain: example b .* form name: it has no prompt"):
        toy_data(splits={"retain": [EXAMPLE, text]})
    forms = {**dict.fromkeys(ROLES, "name"), "retain": "text"}
    assert toy_data(splits={"retain": [text]}, answers=forms).forms == forms
    made = toy_data(retain_pool=[EXAMPLE, text])
    assert made.retain_pool["id"] == ["e1", "b"], "what is rehearsed may be of both"


def test_texts_to_forget_need_texts_for_comparison():
    forms = {**dict.fromkeys(ROLES, "name"), "forget": "text"}
    with pytest.raises(ValueError, match="forget and holdout must have answers of the same form"):
        toy_data(splits={"forget": [Example("forget", "p", "", "A text.")]}, answers=forms)


def test_forget_and_retain_are_enough():
    example = Example("e", "p", "Q?", "A")
    made = TaskData.of({"retain": [example], "forget": [example]}, [], [], answers="name")
    assert made.roles == ("forget", "retain")
    assert {role: [e.id for e in own] for role, own in made.evaluated.items()} == {
        "forget": ["e"],
        "retain": ["e"],
    }


@pytest.mark.parametrize(
    ("splits", "error", "message"),
    [
        ({"neighbours": [EXAMPLE]}, ValueError, r"unknown splits \['neighbours'\]; roles: "),
        ({"general": []}, BadInput, r"the splits \['general'\] are empty"),
    ],
)
def test_splits_have_a_role_and_examples(splits, error, message):
    with pytest.raises(error, match=message):
        toy_data(splits=splits, answers="name")


def test_fingerprint_follows_requests_and_reads():
    found = {
        three_people(requests=requests).fingerprint
        for requests in ((), asks("f0", "f1 f2"), asks("f1 f2", "f0"), asks("f0", "f1", "f2"))
    }
    assert len(found) == 4
    read = [
        three_people(documents=(Document("f0", "Q?", "A", reads),)).fingerprint
        for reads in (None, 1, 2)
    ]
    assert len(set(read)) == 3


# Published records carry these fingerprints. A change here means that a task's data changed, which
# requires a new version of the task; its old results stay under the old version.
GOLDEN = {
    ("fictitious", ""): "2ecdcd10835ddc3e",
    ("frequency", "low"): "0893b7cf5e183dc7",
    ("frequency", "mid"): "3418ddec84ffb294",
    ("frequency", "high"): "c158010f9b325fbf",
    ("distribution", "in"): "c45cfa358526d69b",
    ("distribution", "out"): "5a9313dbaf1d9a0a",
    ("memorized", ""): "c1a9d6ed3390f21c",
    ("continual", "2"): "06e983aa562a2353",
    ("continual", "5"): "c4d408bcc6a46dda",
    ("continual", "10"): "939d9ef1db031471",
}


@pytest.mark.parametrize(("task", "variant"), GOLDEN)
def test_the_data_of_published_tasks_stay(task, variant):
    assert task_named(task)().data(variant, World(1)).fingerprint == GOLDEN[task, variant]


def request(forget=5, retain=50, seed=0, size=2):
    pairs = [
        [Pair(f"{side}{i}", "A") for i in range(n)] for side, n in (("f", forget), ("r", retain))
    ]
    return Request(*pairs, tokenizer=None, seed=seed, budget=Budget(steps=10, batch_size=size))


def take(batches, count):
    return [next(batches) for _ in range(count)]


def test_every_forget_item_comes_once_in_an_epoch():
    seen = [pair for forget, _ in take(request(forget=6).batches(), 3) for pair in forget]
    assert sorted(p.prompt for p in seen) == [f"f{i}" for i in range(6)]


def test_retain_items_are_drawn_anew_at_each_step_and_differ_between_seeds():
    """A forget pair must not always meet the same retain pair, and seeds must differ."""
    first, again, other = (take(request(seed=s).batches(), 20) for s in (0, 0, 1))
    assert first == again
    assert first != other
    partners = {tuple(retain) for forget, retain in first if Pair("f0", "A") in forget}
    assert len(partners) > 3


def test_a_withheld_side_gives_empty_batches():
    assert take(request(retain=0).batches(), 1)[0][1] == []
    assert take(request(forget=0).batches(), 1)[0][0] == []
