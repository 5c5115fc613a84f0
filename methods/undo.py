"""Unlearn, noise, distil: the unlearned model is distilled into a damaged copy of itself."""

from dataclasses import replace

import torch

from benchmark.api import Budget, GradientMethod, kl_from_uniform, register_method


class _Distillation(GradientMethod):
    """Distillation of a model into a damaged copy of itself, by KL(q || p) over the answer
    positions of retain, where q are the predictions of the model before the damage.
    """

    sees = frozenset({"retain", "target"})  # its target is the unlearned model
    moves_target = True

    def __init__(self, learning_rate, lora, damage):
        super().__init__(learning_rate=learning_rate, lora=lora)  # type: ignore[call-arg]
        self.damage = damage

    def before(self, request):
        self.damage(self._model, torch.Generator().manual_seed(request.seed))

    def loss(self, batch):
        q = self.reference_logits(batch.retain).log_softmax(-1)
        p = self.logits(batch.retain).log_softmax(-1)
        return (q.exp() * (q - p)).sum(-1).mean()


@register_method("undo", reference="lee2025undo", family="distillation", sees={"forget", "retain"})
class UNDO(GradientMethod):
    """Unlearning followed by noise on the weights and distillation of the unlearned model into the
    noisy one.

    Three stages (Lee et al. 2025): unlearn for the share `unlearn_share` of the budget with
    `forget_weight` KL(uniform || p) on forget plus nll/T on retain; damage the weights by theta <-
    (1-alpha) theta + alpha beta Xavier noise (vectors only shrink); distil with KL(unlearned ||
    damaged) on retain.

    The damage is meant to destroy knowledge that is merely suppressed. The paper uses alpha from
    0.1 to 0.8, beta = 0.1 and far more distillation than the budget here allows, so alpha is at the
    low end.
    """

    learning_rate: float = 3e-3
    forget_weight: float = 0.3
    unlearn_share: float = 0.5
    alpha: float = 0.1
    beta: float = 0.1
    distil_rate: float = 1e-3

    def loss(self, batch):
        forget = kl_from_uniform(self.logits(batch.forget)).mean()
        return self.forget_weight * forget + self.nll(batch.retain, per_token=True).mean()

    def unlearn(self, model, request):
        steps, size = request.budget.steps, request.budget.batch_size
        first = max(1, round(self.unlearn_share * steps))
        model = super().unlearn(model, replace(request, budget=Budget(first, size)))
        if first >= steps:
            return model  # no steps are left to repair the damage
        distil = _Distillation(self.distil_rate, self.lora, self.damage)
        rest = replace(request, forget=[], budget=Budget(steps - first, size))
        return distil.unlearn(model, rest)

    @torch.no_grad()
    def damage(self, model, generator):
        for parameter in model.parameters():
            parameter.mul_(1 - self.alpha)
            if parameter.ndim > 1:
                noise = torch.empty(parameter.shape)
                torch.nn.init.xavier_normal_(noise, generator=generator)
                parameter.add_(self.alpha * self.beta * noise.to(parameter))
