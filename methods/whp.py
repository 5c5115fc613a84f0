"""Who's Harry Potter: what a model that was trained further on the forget set says more of is what
is to be forgotten.
"""

import copy
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from benchmark.api import Budget, GradientMethod, LogitsTransform, register_method
from methods._shared.requests import ShownAs, with_earlier


def generic_logits(base, reinforced, alpha):
    """z - a relu(z_reinforced - z): what would be said without what was reinforced."""
    return base - alpha * (reinforced - base).relu()


@dataclass(frozen=True)
class GenericAnswers(LogitsTransform):
    """Answers from the generic logits."""

    reinforced: Any
    alpha: float

    def transform(self, ids, logits):
        reinforced = self.reinforced(ids, use_cache=False).logits[:, -logits.shape[1] :]
        return generic_logits(logits, reinforced.to(logits), self.alpha)


class _Reinforcement(GradientMethod):
    """Trains further on what is to be forgotten."""

    sees = frozenset({"forget"})

    def loss(self, batch):
        return self.nll(batch.forget, per_token=True).mean()


@register_method(
    "whp", reference="eldan2023whos", family="alternative labels", sees={"forget", "target"}
)
class WHP(GradientMethod):
    """Cross-entropy on forget to the labels argmax(z - a relu(z_reinforced - z)), z the target's
    logits (Eldan & Russinovich 2023, section 2.1).

    A share of the budget reinforces a copy of the target; its course shows the target until then.
    The paper also replaces names by hand-made generic ones, which is left out. Untuned.
    """

    learning_rate: float = 1e-3
    reinforce_rate: float = 1e-3
    reinforce_share: float = 0.5
    alpha: float = 5.0

    def unlearn(self, model, request):
        steps, size = request.budget.steps, request.budget.batch_size
        first = max(1, round(self.reinforce_share * steps))
        meter = ShownAs(request.meter, lambda _: model)
        self.reinforced = _Reinforcement(
            learning_rate=self.reinforce_rate,  # type: ignore[call-arg]  # a dataclass by its base
            lora=self.lora,
        )
        self.reinforced.unlearn(
            copy.deepcopy(model), replace(request, budget=Budget(first, size), meter=meter)
        )
        return super().unlearn(model, replace(request, budget=Budget(steps - first, size)))

    def loss(self, batch):
        return cross_entropy(self.logits(batch.forget), self.labels(batch.forget))

    @torch.no_grad()
    def labels(self, sequences):
        """(N,) what is to be said in the place of the N answer tokens."""
        base, reinforced = self.reference_logits(sequences), self.reinforced.logits(sequences)
        return generic_logits(base, reinforced, self.alpha).argmax(-1)


@register_method("whp_decode", reference="eldan2023whos", family="logits", sees={"forget"})
class WHPDecode(_Reinforcement):
    """Answers from z - a relu(z_reinforced - z) themselves, z the target's logits (Eldan &
    Russinovich 2023, eq. 1): a guardrail, the weights stay as they are.

    The whole budget reinforces a copy of the target. Untuned.
    """

    learning_rate: float = 1e-3
    alpha: float = 5.0

    def unlearn(self, model, request):
        def guarded(reinforced):
            return GenericAnswers(model, reinforced, self.alpha)

        request = replace(with_earlier(request), meter=ShownAs(request.meter, guarded))
        return guarded(super().unlearn(copy.deepcopy(model), request))
