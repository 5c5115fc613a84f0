"""Checkpoints: progress is restored exactly, only one checkpoint exists at a time, and none is left
behind.
"""

from pickle import PicklingError

import pytest
import torch
from toy_models import tiny_model

from benchmark.inference.unlearned import ConstantAnswers
from benchmark.models.artifacts import ArtifactStore
from benchmark.pipeline.checkpoints import KIND, Checkpoints, Progress


@pytest.fixture
def store(tmp_path):
    return ArtifactStore(tmp_path)


def left(store):
    """Names of everything in the checkpoint folder, hidden files included."""
    return sorted(p.name for p in (store.home / KIND).iterdir())


def folders(store):
    return [name for name in left(store) if not name.endswith(".lock")]


def test_without_a_checkpoint_there_is_none(store):
    checkpoints = Checkpoints(store, "cell")
    assert checkpoints.load() is None
    checkpoints.clear()


def test_progress_comes_back_as_it_was(store, make_sample):
    state = {
        "seen": [1, 2],
        "nested": {"text": "é", "rate": 0.1},
        "direction": torch.randn(3),
        "none": None,
    }
    samples = [
        make_sample(),
        make_sample(example="e1", prompt="", prefix_words=(10,), continuations=("and on",)),
    ]
    model, seconds = tiny_model(3), {"unlearn": 1.25, "requests": 0.5}
    progress = Progress(2, model, state, samples, steps=40, tokens=12345, seconds=seconds)
    Checkpoints(store, "cell").save(progress)
    found = Checkpoints(ArtifactStore(store.home), "cell").load()

    assert (found.done, found.steps, found.tokens, found.seconds) == (2, 40, 12345, seconds)
    assert not found.result.weights.training
    before, after = model.state_dict(), found.result.weights.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert torch.equal(found.state.pop("direction"), state.pop("direction"))
    assert found.state == state
    assert [vars(s)["prefix_words"] for s in found.samples] == [(), (10,)]
    assert [s.generation for s in found.samples] == [s.generation for s in samples]


def test_a_filter_stays_before_its_model(store):
    model = tiny_model(1)
    Checkpoints(store, "cell").save(Progress(1, ConstantAnswers(model, "I do not know.")))
    found = Checkpoints(store, "cell").load()
    assert isinstance(found.result, ConstantAnswers)
    assert found.result.text == "I do not know."
    assert all(
        torch.equal(a, b)
        for a, b in zip(model.parameters(), found.result.model.parameters(), strict=True)
    )


def test_a_model_goes_on_from_its_checkpoint_as_if_it_had_not_been_interrupted(store):
    """The loaded model can be trained: no weight is frozen, and tied weights stay tied."""
    model = tiny_model(2)
    Checkpoints(store, "cell").save(Progress(1, model))
    loaded = Checkpoints(store, "cell").load().result.weights
    for one in (model, loaded):
        one(input_ids=torch.tensor([[2, 3, 4]]), labels=torch.tensor([[2, 3, 4]])).loss.backward()
    grads = [{name: p.grad for name, p in one.named_parameters()} for one in (model, loaded)]
    assert grads[0].keys() == grads[1].keys()
    assert all(torch.equal(grads[0][name], grads[1][name]) for name in grads[0])


def test_only_the_newest_is_kept(store):
    checkpoints = Checkpoints(store, "cell")
    for done in (1, 2, 10):
        checkpoints.save(Progress(done, tiny_model(done)))
        assert folders(store) == [f"cell-{done:03d}"]
    assert checkpoints.load().done == 10


def test_a_kill_between_writing_and_removing_leaves_the_newer_one(store, monkeypatch):
    checkpoints = Checkpoints(store, "cell")
    checkpoints.save(Progress(1, tiny_model()))

    def killed(_store, _kind, key):
        assert key == "cell-001"
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ArtifactStore, "discard", killed)
        with pytest.raises(KeyboardInterrupt):
            checkpoints.save(Progress(2, tiny_model()))
    assert folders(store) == ["cell-001", "cell-002"]
    assert checkpoints.load().done == 2


def test_a_failure_to_write_leaves_the_former_one(store):
    checkpoints = Checkpoints(store, "cell")
    checkpoints.save(Progress(1, tiny_model()))
    with pytest.raises((AttributeError, PicklingError)):
        checkpoints.save(Progress(2, tiny_model(), state={"no": lambda: None}))
    assert folders(store) == ["cell-001"]
    assert checkpoints.load().done == 1


def test_saving_the_same_number_again_keeps_a_checkpoint(store):
    checkpoints = Checkpoints(store, "cell")
    for _ in range(2):
        checkpoints.save(Progress(1, tiny_model()))
    assert checkpoints.load().done == 1


def test_clearing_removes_everything_of_the_cell_and_nothing_of_others(store):
    mine, other = Checkpoints(store, "cell"), Checkpoints(store, "another")
    mine.save(Progress(1, tiny_model()))
    other.save(Progress(1, tiny_model()))
    (
        store.home / KIND / ".cell-002-abcdef"
    ).mkdir()  # left by a process that was killed while writing
    mine.clear()
    assert mine.load() is None
    assert other.load().done == 1
    assert not [name for name in left(store) if "cell" in name]
