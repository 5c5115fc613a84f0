"""An unlearning method in a separate package."""

from benchmark.api import GradientMethod, register_method


@register_method("template_method", reference="", family="gradient", sees={"forget", "retain"})
class TemplateMethod(GradientMethod):
    """Gradient ascent on the forget set and descent on the retain set (source, equation)."""

    learning_rate: float = 2e-4
    retain_weight: float = 1.0

    def loss(self, batch):
        forget = -self.nll(batch.forget, per_token=True).mean()
        retain = self.nll(batch.retain, per_token=True).mean()
        return forget + self.retain_weight * retain
