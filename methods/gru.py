"""Gradient rectified unlearning: the forget gradient without its conflict with the retain set."""

from benchmark.api import GradientMethod, register_method


@register_method("gru", reference="wang2025gru", family="projection", sees={"forget", "retain"})
class GRU(GradientMethod):
    """Gradient ascent on the forget set without the component of each step that would raise the
    retain loss, plus gradient descent on the retain set.

    The gradient is g_f - min(0, <g_f, m>)/|m|^2 m + w g_r, where g_f is the gradient of -nll/T on
    forget, g_r the gradient of nll/T on retain, w is `retain_weight`, and m is a moving average of
    g_r in which the newest gradient has weight `smoothing` (Wang et al. 2025, eq. 8).
    """

    learning_rate: float = 3e-4
    smoothing: float = 0.9  # weight of the newest gradient in the moving average
    retain_weight: float = 1.0

    def before(self, request):
        self.average = None

    def loss(self, batch):
        forget = -self.nll(batch.forget, per_token=True).mean()
        return forget, self.nll(batch.retain, per_token=True).mean()

    def combine(self, forget_grads, retain_grads):
        former = self.average or retain_grads
        share = self.smoothing
        self.average = [
            share * g + (1 - share) * m for g, m in zip(retain_grads, former, strict=True)
        ]
        dot = sum((f * m).sum() for f, m in zip(forget_grads, self.average, strict=True))
        norm = sum((m * m).sum() for m in self.average)
        against = (dot / norm.clamp(min=1e-12)).clamp(max=0)
        both = zip(forget_grads, self.average, retain_grads, strict=True)
        return [f - against * m + self.retain_weight * r for f, m, r in both]
