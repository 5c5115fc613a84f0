"""Attacks that change weights without training: towards the target, to zero, or at random."""

from __future__ import annotations

import copy
from typing import Annotated, Any

import torch
from pydantic import Field

from benchmark.attacks.matrices import change_matrices
from benchmark.core.attack import Attack, AttackRequest
from benchmark.core.registry import register_attack

Share = Annotated[float, Field(gt=0, lt=1)]


@torch.no_grad()
def interpolated(model: Any, target: Any, share: float) -> Any:
    """A copy of the model with the weights (1 - share) * model + share * target."""
    mixed = copy.deepcopy(model)
    for weight, other in zip(mixed.parameters(), target.parameters(), strict=True):
        weight.lerp_(other.to(weight), share)
    return mixed


def pruned(weight: torch.Tensor, share: float) -> torch.Tensor:
    """The matrix with this share of its entries, those of smallest magnitude, set to zero."""
    count = int(weight.numel() * share)
    smallest = weight.abs().flatten().argsort(stable=True)[:count]
    return weight.flatten().index_fill(0, smallest, 0).reshape(weight.shape)


@register_attack(
    "interpolate",
    version=1,
    source="this benchmark, after Frankle et al. 2020 (mode connectivity)",
)
class Interpolate(Attack):
    """Interpolates the weights by `share` towards the target, which an attacker may have kept; also
    scored at the shares in `points`, from which `report` determines the share at which half of the
    forgotten knowledge is back.
    """

    kept = 24
    share: Share
    points: tuple[Share, ...] = ()

    def apply(self, model, request: AttackRequest):
        target = request.target()
        for point in self.points:
            request.look(f"{point:.2f}", interpolated(model, target, point))
        return interpolated(model, target, self.share)


@register_attack("prune", version=1, source="Han et al. 2015 (magnitude pruning)")
class Prune(Attack):
    """Sets the smallest `share` of the weights to zero in every linear layer but the language-model
    head; also scored at the shares in `points`.
    """

    kept = 24
    share: Share
    points: tuple[Share, ...] = ()

    def apply(self, model, request: AttackRequest):
        for point in self.points:
            request.look(f"{point:.2f}", self._pruned(model, point))
        return self._pruned(model, self.share)

    def _pruned(self, model: Any, share: float) -> Any:
        attacked = copy.deepcopy(model)
        change_matrices(attacked, lambda weight: pruned(weight, share))
        return attacked


@register_attack("noise", version=1, source="this benchmark, as a control")
class Noise(Attack):
    """Adds Gaussian noise to every linear layer but the language-model head; its standard deviation
    is `scale` times that of the layer's weights.
    """

    kept = 24
    scale: Annotated[float, Field(gt=0)]

    def apply(self, model, request: AttackRequest):
        generator = torch.Generator().manual_seed(request.seed)
        attacked = copy.deepcopy(model)

        def noisy(weight: torch.Tensor) -> torch.Tensor:
            drawn = torch.randn(weight.shape, generator=generator).to(weight)
            return weight + self.scale * weight.std() * drawn

        change_matrices(attacked, noisy)
        return attacked
