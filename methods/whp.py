"""Who's Harry Potter: a copy reinforced on the forget set indicates which tokens to avoid."""

import copy
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from benchmark.api import Budget, GradientMethod, LogitsTransform, register_method
from methods._shared.requests import ShownAs, with_earlier


def generic_logits(base, reinforced, alpha):
    """z - alpha relu(z_reinforced - z), (..., V)."""
    return base - alpha * (reinforced - base).relu()


@dataclass(frozen=True)
class GenericAnswers(LogitsTransform):
    """A guardrail that answers from the generic logits."""

    reinforced: Any
    alpha: float

    def transform(self, ids, logits):
        reinforced = self.reinforced(ids, use_cache=False).logits[:, -logits.shape[1] :]
        return generic_logits(logits, reinforced.to(logits), self.alpha)


class _Reinforcement(GradientMethod):
    """Further training on the forget set."""

    sees = frozenset({"forget"})

    def loss(self, batch):
        return self.nll(batch.forget, per_token=True).mean()


@register_method(
    "whp", reference="eldan2023whos", family="alternative labels", sees={"forget", "target"}
)
class WHP(GradientMethod):
    """Fine-tuning on generic labels for the forget set, found by comparing the target with a copy
    reinforced on the forget set.

    Cross-entropy on forget with the labels argmax(z - alpha relu(z_reinforced - z)), where z are
    the target's logits (Eldan & Russinovich 2023, section 2.1).

    The share `reinforce_share` of the budget reinforces a copy of the target; during that phase,
    trajectories show the target. The paper also replaces names by hand-written generic ones, which
    is left out here.
    """

    learning_rate: float = 3e-3
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
        """The generic label of each of the N answer tokens, (N,)."""
        base, reinforced = self.reference_logits(sequences), self.reinforced.logits(sequences)
        return generic_logits(base, reinforced, self.alpha).argmax(-1)


@register_method("whp_decode", reference="eldan2023whos", family="logits", sees={"forget"})
class WHPDecode(_Reinforcement):
    """A guardrail that lowers the logits that are higher in a copy reinforced on the forget set.
    The target's weights are unchanged.

    Answers come from the logits z - alpha relu(z_reinforced - z), where z are the target's logits
    (Eldan & Russinovich 2023, eq. 1). The whole budget reinforces a copy of the target.
    """

    learning_rate: float = 1e-3
    alpha: float = 5.0

    def unlearn(self, model, request):
        def guarded(reinforced):
            return GenericAnswers(model, reinforced, self.alpha)

        request = replace(with_earlier(request), meter=ShownAs(request.meter, guarded))
        return guarded(super().unlearn(copy.deepcopy(model), request))
