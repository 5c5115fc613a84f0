"""Representation misdirection: hidden states on forget data are steered to a random direction."""

from contextlib import contextmanager
from typing import Any, Literal

import torch

from benchmark.api import GradientMethod, blocks_of, register_method
from methods._shared.layers import down_projections, layer_at, train_only


@register_method(
    "rmu", reference="li2024wmdp", family="representation", sees={"forget", "retain", "target"}
)
class RMU(GradientMethod):
    """Training that steers the hidden states of forget answers at one layer towards a fixed random
    direction and keeps the hidden states of retain answers close to the target's.

    mse(h(forget), c u) + w mse(h(retain), h_ref(retain)) at one layer, where u is a fixed random
    unit vector with non-negative entries and w is `retain_weight` (Li et al. 2024, section 4).

    h (N, H) are the hidden states at the positions that predict answer tokens. c is `strength`
    times the mean of |h_ref(forget)| over the first batch, because a constant would suit models of
    only one size (Huu-Tien et al. 2025 scale token by token). `depth` is the relative depth of the
    layer; `trained` selects the down-projections of the last `blocks` blocks up to that layer, or
    all weights. The paper uses layer 7 of 32 and three blocks; its settings for released models
    include c = 6.5 with w = 1200 and c = 300 with w = 1600.
    """

    learning_rate: float = 3e-3
    depth: float = 0.5
    blocks: int = 3
    trained: Literal["down_projections", "all"] = "down_projections"
    strength: float = 10.0
    retain_weight: float = 30.0

    def before(self, request):
        self.layer = layer_at(self.depth, self._model)
        self.names = down_projections(self._model, self.layer, self.blocks)
        self.generator = torch.Generator().manual_seed(request.seed)
        self.goal: Any = None

    def before_loss(self, model):
        if self.trained == "down_projections":
            train_only(model, self.names)  # adapters are in place by now

    def loss(self, batch):
        if self.goal is None:
            self.goal = self._goal(batch)
        return self._misled(batch) + self.retain_weight * self._moved(batch)

    def after(self, model):
        model.requires_grad_(True)

    def _misled(self, batch):
        (forget,) = self.hidden_states(batch.forget, [self.layer])
        return (forget - self.goal).square().mean()

    def _moved(self, batch):
        (retain,) = self.hidden_states(batch.retain, [self.layer])
        (kept,) = self.reference_hidden_states(batch.retain, [self.layer])
        return (retain - kept).square().mean()

    def _goal(self, batch):
        """The vector c u, (H,)."""
        (states,) = self.reference_hidden_states(batch.forget, [self.layer])
        u = torch.rand(states.shape[-1], generator=self.generator).to(states)
        return self.strength * states.norm(dim=-1).mean() * u / u.norm()


@register_method(
    "rmu_lat",
    reference="sheshadri2024lat",
    family="representation",
    sees={"forget", "retain", "target"},
)
class RMULAT(RMU):
    """RMU against a latent adversary (Sheshadri et al. 2024, section 4.3). At each step, the
    adversary adds a perturbation d with |d| <= e to every token's hidden state at an earlier layer,
    chosen to minimize nll/T on forget; the forget term of RMU is computed on the perturbed states.

    The adversary runs projected gradient descent from zero, with `inner_steps` steps of length e/2.
    The earlier layer has relative depth `attacked`, and e is `radius` times the mean norm of its
    states; the paper uses e = 2 at layer 7 of 32 and 16 steps. The budget does not count inner
    steps.
    """

    attacked: float = 0.25
    radius: float = 0.1
    inner_steps: int = 4

    def before(self, request):
        super().before(request)
        self.attacked_layer = min(layer_at(self.attacked, self._model), self.layer - 1)

    def _misled(self, batch):
        delta = self._adversary(batch.forget)
        with self._added(delta):
            return super()._misled(batch)

    def _adversary(self, sequences):
        """The perturbation d (B, L, H) that makes the forget answers likeliest, by projected
        gradient descent.
        """
        seen: list[torch.Tensor] = []
        with torch.no_grad(), self._added(seen):
            self.nll(sequences)
        (states,) = seen
        limit = self.radius * states.norm(dim=-1).mean()
        delta = torch.zeros_like(states)
        for _ in range(self.inner_steps):
            delta.requires_grad_(True)
            with self._added(delta):
                loss = self.nll(sequences, per_token=True).mean()
            (slope,) = torch.autograd.grad(loss, delta)
            step = slope / slope.norm(dim=-1, keepdim=True).clamp(min=1e-12)
            delta = delta.detach() - limit / 2 * step
            delta = delta * (limit / delta.norm(dim=-1, keepdim=True).clamp(min=1e-12)).clamp(max=1)
        return delta

    @contextmanager
    def _added(self, delta):
        """Context in which `delta` is added to the output of the attacked layer; if `delta` is a
        list, that output is appended to it instead.
        """
        model, layer = self._model, self.attacked_layer
        module = blocks_of(model)[layer - 1] if layer else model.get_input_embeddings()

        def change(_module, _inputs, output):
            states, *rest = output if isinstance(output, tuple) else (output,)
            if isinstance(delta, list):
                delta.append(states)
                return output
            return (states + delta, *rest) if isinstance(output, tuple) else states + delta

        hook = module.register_forward_hook(change)
        try:
            yield
        finally:
            hook.remove()
