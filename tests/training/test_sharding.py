"""Training in two processes that shard the weights, compared with training in one."""

import copy
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from architectures import SCORED, model_of
from toy_models import plain_tokenizer, tiny_model

from benchmark.core.examples import Pair
from benchmark.core.method import create
from benchmark.core.registry import method_named, methods
from benchmark.core.request import Budget, Meter, Request
from benchmark.core.updates import Updates
from benchmark.inference.predictors import sampler
from benchmark.inference.unlearned import as_unlearned
from benchmark.training.group import together
from benchmark.training.loop import Schedule, train, updated_by
from benchmark.training.lora import Lora
from benchmark.training.sharding import own_parts, sharded

FORGET = [Pair("Where was Ada born?", "Malport"), Pair("Who pays Ivo?", "Bren Union")]
RETAIN = [Pair("Where was Ivo born?", "Tor"), Pair("Who pays Ada?", "Kel Works")]


def difference(one, other):
    assert one.keys() == other.keys()
    return max((one[name].float() - other[name].float()).abs().max().item() for name in one)


def tokens(count=8):
    return torch.randint(2, 20, (count, 12), generator=torch.Generator().manual_seed(1))


def halves(batch, count):
    return [batch[i::count] for i in range(count)] if len(batch) >= count else [batch]


def losses_of(model, pair, batch):
    logs = model(input_ids=batch).logits.float().log_softmax(-1)
    likely = -logs[:, :-1].gather(-1, batch[:, 1:, None]).mean()
    return (likely, (logs**2).mean()) if pair else likely


def trained(architecture, pair, lora, updates, count):
    """Log-probabilities after three steps on batches of `count` sequences, and the model's class,
    number of distinct weights and mode. Weights are not returned: they may differ where they have
    no effect, such as biases of keys.
    """
    model = model_of(architecture, SCORED[architecture])
    if updates.weights == "bfloat16":
        model = model.bfloat16()
    with updated_by(updates):
        train(
            model,
            [tokens(count)] * 3,
            partial(losses_of, model, pair),
            Schedule(3, 1e-2),
            Meter(),
            lambda batch: batch.numel(),
            lora,
            parts=halves,
        )
    ties = [p.data_ptr() for p in model.parameters()]
    return told_by(model), type(model).__name__, len(set(ties)), model.training


@torch.no_grad()
def told_by(model):
    return {"tokens": model(input_ids=tokens()).logits.float().log_softmax(-1)}


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """Lets the processes of a group import the functions that they call from this file."""
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[1]), *sys.path]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))


HALF = {"weights": "bfloat16"}
# (architecture, whether the loss is a pair, adapters, updates, sequences per batch)
CASES = {
    **{
        f"{architecture}, {'two losses' if pair else 'one loss'}": (
            architecture,
            pair,
            False,
            {},
            8,
        )
        for architecture in ("llama", "gpt_neox", "mamba2")
        for pair in (False, True)
    },
    "adapters": ("llama", True, Lora(), {}, 8),
    "bfloat16": ("llama", False, False, HALF, 8),
    "adapters in bfloat16": ("llama", True, Lora(), HALF, 8),
    "rounded by chance": ("llama", False, False, HALF | {"rounding": "stochastic"}, 8),
    "a batch that cannot be shared out": ("llama", False, False, {}, 1),
}


def all_trained(**updates):
    return {
        case: trained(architecture, pair, lora, Updates(**own, **updates), count)
        for case, (architecture, pair, lora, own, count) in CASES.items()
    }


def test_two_processes_train_as_one_does_on_two_parts():
    made, alone = together(2, all_trained), all_trained(parts=2)
    for case in CASES:
        assert made[case][1:] == alone[case][1:], case
        if "rounding" not in CASES[case][3]:  # each process has its own generator
            allowed = 0.2 if "weights" in CASES[case][3] else 1e-2
            assert difference(made[case][0], alone[case][0]) < allowed, case
        untrained = told_by(model_of(CASES[case][0], SCORED[CASES[case][0]]))
        assert difference(made[case][0], untrained) > 0.3, case


def unlearned(name):
    tokenizer, cls = plain_tokenizer(), method_named(name)
    request = Request(
        forget=FORGET if "forget" in cls.sees else [],
        retain=RETAIN if "retain" in cls.sees else [],
        tokenizer=tokenizer,
        seed=0,
        budget=Budget(steps=2, batch_size=2),
        sample=sampler(tokenizer, 4, 0),
    )
    torch.manual_seed(0)
    method = create(cls, {"masc": {"rho": 1e-4, "stop_share": None}}.get(name, {}))
    result = as_unlearned(method.unlearn(tiny_model(0), request))
    return told_by(result.weights)


def of_each_family():
    families = {}
    for name, cls in sorted(methods().items()):
        ours = cls.__module__.startswith("methods.")  # other tests register methods too
        if ours and not cls.anchor and "training" not in cls.sees:
            families.setdefault(cls.family, name)
    # `sga` and `tau` end with a forward pass without gradients.
    return sorted({*families.values(), "gru", "sga", "tau"} - {"npo_sam", "loku"})


def all_unlearned(names):
    return {name: unlearned(name) for name in names}


# Methods whose loss draws values or keeps them between batches: each process does so for its own
# parts.
OF_ITS_OWN = {"altpo", "pdu", "rmu"}
MOVE_NOTHING = {"icu", "keyword_filter", "uld"}


def test_a_method_of_each_family_unlearns_in_two_processes_as_in_one():
    """The single process uses two parts or, for methods that combine gradients, the whole batch:
    these combine the gradients of all processes.
    """
    made, whole = together(2, all_unlearned, of_each_family()), all_unlearned(of_each_family())
    with updated_by(Updates(parts=2)):
        alone = all_unlearned(of_each_family())
    start = told_by(tiny_model(0))
    for name in made:
        apart = min(difference(made[name], other[name]) for other in (alone, whole))
        assert apart < (0.1 if name in OF_ITS_OWN else 1e-3), name
        moved = difference(made[name], start)
        assert moved == 0 if name in MOVE_NOTHING else moved > 0.02, name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("npo_sam", "a gradient is taken within the loss, which needs whole weights"),
        ("loku", "weights are read within the loss, which needs whole weights"),
    ],
)
def test_what_needs_whole_weights_fails_and_says_so(name, message):
    with pytest.raises(RuntimeError, match=message):
        together(2, unlearned, name)


def told(word):
    return f"{word} of {dist.get_world_size()}" if dist.is_initialized() else word


def test_the_first_says_what_all_made_and_one_alone_starts_no_other():
    assert together(2, told, "two") == "two of 2"
    assert together(1, told, "one") == "one"


def failing(error):
    if dist.get_rank() == 1:
        raise error
    dist.barrier()  # which the other process never reaches


@pytest.mark.parametrize("error", [ValueError("no such thing"), SystemExit(0)])
def test_what_fails_in_one_ends_all_and_says_why(error):
    started = time.monotonic()
    with pytest.raises(RuntimeError, match=f"process 2 of 2: {type(error).__name__}: {error}"):
        together(2, failing, error)
    assert time.monotonic() - started < 60


def dying():
    os._exit(3 if dist.get_rank() == 0 else 0)


def test_a_process_that_dies_is_told_by_its_exit_code():
    with pytest.raises(RuntimeError, match="process 1 of 2: exit code 3"):
        together(2, dying)


WAITS = """
from test_sharding import waiting
from benchmark.training.group import together
together(2, waiting, {folder!r})
"""


def waiting(folder):
    (Path(folder) / str(os.getpid())).touch()
    time.sleep(120)


def test_processes_end_with_the_one_that_started_them(tmp_path):
    parent = subprocess.Popen([sys.executable, "-c", WAITS.format(folder=str(tmp_path))])
    until(lambda: len(list(tmp_path.iterdir())) == 2)
    parent.kill()
    parent.wait()
    pids = [int(path.name) for path in tmp_path.iterdir()]
    until(lambda: not any(Path(f"/proc/{pid}/cmdline").exists() for pid in pids), 20)


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.2)


def test_alone_nothing_is_shared_out():
    model = tiny_model(0)
    before = copy.deepcopy(model.state_dict())
    with sharded(model):
        assert all(type(p) is torch.nn.Parameter for p in model.parameters())
    assert difference(before, model.state_dict()) == 0
    assert own_parts([1, 2, 3]) == [1, 2, 3]
