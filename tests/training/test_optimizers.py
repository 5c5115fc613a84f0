"""Updates of bfloat16 weights: plain rounding loses them; a master copy or stochastic rounding
keeps them.
"""

import pytest
import torch

from benchmark.core.updates import Updates
from benchmark.training.optimizers import MasterAdam, RoundedAdam, optimizer_for, rounded, set_rate

RATE = 1e-4  # far below 1/256, the spacing of bfloat16 numbers just below 1


def weights_of(dtype, count=2000):
    return torch.nn.Parameter(torch.ones(count, dtype=dtype))


def stepped(parameter, optimizer, gradients):
    for gradient in gradients:
        optimizer.zero_grad()
        parameter.grad = torch.full_like(parameter, gradient)
        optimizer.step()
    return parameter.detach().float()


GRADIENTS = [1.0, -0.5, 2.0, 0.25, 0.25, 0.5, 1.0, 1.0, -0.125, 1.0] * 4


@pytest.fixture
def expected():
    """Weights after steps of torch's own AdamW in float32."""
    parameter = weights_of(torch.float32)
    own = torch.optim.AdamW([parameter], lr=RATE, betas=(0.9, 0.98), weight_decay=0.0)
    return stepped(parameter, own, GRADIENTS)


def test_float32_weights_have_torchs_own_adam(expected):
    parameter = weights_of(torch.float32)
    found = stepped(parameter, optimizer_for([parameter], RATE, Updates()), GRADIENTS)
    assert torch.equal(found, expected)


def test_plain_updates_of_bfloat16_weights_are_lost(expected):
    """This is why there are other kinds of updates."""
    parameter = weights_of(torch.bfloat16)
    plain = torch.optim.AdamW([parameter], lr=RATE, betas=(0.9, 0.98), weight_decay=0.0)
    assert torch.equal(stepped(parameter, plain, GRADIENTS), torch.ones(2000))
    assert expected.mean() < 0.998


def test_a_master_copy_moves_as_float32_weights_do(expected):
    parameter = weights_of(torch.bfloat16)
    optimizer = optimizer_for([parameter], RATE, Updates(weights="bfloat16"))
    assert isinstance(optimizer, MasterAdam)
    found = stepped(parameter, optimizer, GRADIENTS)
    torch.testing.assert_close(optimizer.masters[0].detach(), expected)
    assert torch.equal(found, expected.bfloat16().float())


def test_random_rounding_is_right_on_average(expected):
    parameter = weights_of(torch.bfloat16)
    updates = Updates(weights="bfloat16", rounding="stochastic")
    optimizer = optimizer_for([parameter], RATE, updates)
    assert isinstance(optimizer, RoundedAdam)
    found = stepped(parameter, optimizer, GRADIENTS)
    error = found.std() / len(found) ** 0.5
    assert abs(found.mean() - expected.mean()) < 4 * error


def test_rounding_is_between_neighbours_with_the_probability_of_the_distance():
    values = torch.tensor([1.0, -1.0, 0.0, 1 + 2**-9, -(1 + 3 * 2**-9), 3e-39, 1e30])
    drawn = torch.stack(
        [rounded(values, torch.Generator().manual_seed(n)).float() for n in range(4000)]
    )
    assert torch.equal(drawn[:, :3], values[:3].expand(4000, 3)), "what fits is kept"
    up = (drawn[:, 3] == 1 + 2**-7).float().mean()
    assert up == pytest.approx(1 / 4, abs=0.03)
    assert set(drawn[:, 3].tolist()) == {1.0, 1 + 2**-7}
    assert (drawn[:, 4] == -(1 + 2**-7)).float().mean() == pytest.approx(3 / 4, abs=0.03)
    assert drawn.isfinite().all()


def test_the_same_seed_rounds_alike():
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        parameter = weights_of(torch.bfloat16)
        found.append(stepped(parameter, RoundedAdam([parameter], RATE), GRADIENTS))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_states_of_8_bits_move_weights_about_as_far(expected):
    pytest.importorskip("torchao", reason="torchao is missing: the extra `memory`")
    parameter = weights_of(torch.float32, 4096)  # smaller tensors keep float32 states
    optimizer = optimizer_for([parameter], 1.0, Updates(states="int8"))
    set_rate(optimizer, RATE)
    moved = stepped(parameter, optimizer, GRADIENTS).mean() - 1
    assert moved.item() == pytest.approx((expected.mean() - 1).item(), rel=0.1)


def test_without_torchao_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torchao.optim", None)
    with pytest.raises(ImportError, match=r"pip install 'palimpsest-bench\[memory\]'"):
        optimizer_for([weights_of(torch.float32)], RATE, Updates(states="int8"))
