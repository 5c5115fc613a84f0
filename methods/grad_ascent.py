"""Gradient ascent on the forget set."""

from benchmark.api import GradientMethod, register_method


@register_method("grad_ascent", reference="jang2023knowledge", family="ascent", sees={"forget"})
class GradAscent(GradientMethod):
    """Maximizes the loss on the forget set and uses no other data (Jang et al. 2023)."""

    learning_rate: float = 1e-4

    def loss(self, batch):
        return -self.nll(batch.forget, per_token=True).mean()
