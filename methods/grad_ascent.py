"""Gradient ascent on the forget set."""

from benchmark.api import GradientMethod, register_method


@register_method("grad_ascent", reference="jang2023knowledge", family="ascent", sees={"forget"})
class GradAscent(GradientMethod):
    """Gradient ascent on the forget set. It uses no other data, so nothing preserves the rest of
    the model's knowledge.

    -nll/T on forget (Jang et al. 2023).
    """

    learning_rate: float = 1e-4

    def loss(self, batch):
        return -self.nll(batch.forget, per_token=True).mean()
