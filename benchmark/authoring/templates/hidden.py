"""What the method does, in a sentence."""

import torch

from benchmark.api import GradientMethod, register_method


@register_method("new_method", reference="", family="hidden", sees={"forget", "retain", "target"})
class NewMethod(GradientMethod):
    """|h(f) - c u|^2 on the forget set and |h(r) - h_target(r)|^2 on the retain set, where h are
    the hidden states after `layer` and u is a random direction (source, equation).
    """

    learning_rate: float = 1e-3
    layer: int = 1
    strength: float = 4.0
    retain_weight: float = 10.0

    def before(self, request):
        self.generator = torch.Generator().manual_seed(request.seed)
        self.direction = None

    def loss(self, batch):
        (forget,) = self.hidden_states(batch.forget, [self.layer])
        (retain,) = self.hidden_states(batch.retain, [self.layer])
        (kept,) = self.reference_hidden_states(batch.retain, [self.layer])
        if self.direction is None:
            u = torch.rand(forget.shape[-1], generator=self.generator)
            self.direction = (self.strength * u / u.norm()).to(forget)
        misled = (forget - self.direction).square().sum(-1).mean()
        return misled + self.retain_weight * (retain - kept).square().sum(-1).mean()
