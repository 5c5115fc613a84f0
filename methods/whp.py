"""Who's Harry Potter: a copy reinforced on the forget set shows which tokens to avoid."""

import copy
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from benchmark.api import Budget, GradientMethod, LogitsTransform, register_method
from methods._shared.requests import ShownAs, with_earlier


def generic_logits(base, reinforced, alpha):
    """z - a relu(z_reinforced - z), (..., V)."""
    return base - alpha * (reinforced - base).relu()


@dataclass(frozen=True)
class GenericAnswers(LogitsTransform):
    """A model that answers from the generic logits."""

    reinforced: Any
    alpha: float

    def transform(self, ids, logits):
        reinforced = self.reinforced(ids, use_cache=False).logits[:, -logits.shape[1] :]
        return generic_logits(logits, reinforced.to(logits), self.alpha)


class _Reinforcement(GradientMethod):
    """Continues training on the forget set."""

    sees = frozenset({"forget"})

    def loss(self, batch):
        return self.nll(batch.forget, per_token=True).mean()


@register_method(
    "whp", reference="eldan2023whos", family="alternative labels", sees={"forget", "target"}
)
class WHP(GradientMethod):
    """Fine-tunes the model on generic labels for the forget set. They are found by comparing the
    target with a copy that was reinforced on it.

    Cross-entropy on forget with the labels argmax(z - alpha relu(z_reinforced - z)), where z are
    the target's logits (Eldan & Russinovich 2023, section 2.1).

    Part of the budget, `reinforce_share`, reinforces a copy of the target; trajectories show the
    target meanwhile. The paper also replaces names by hand-written generic ones, which is left out.
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
    """Lowers, whenever the model answers, the logits that a copy reinforced on the forget set
    raises.

    Answers from the logits z - alpha relu(z_reinforced - z), where z are the target's (Eldan &
    Russinovich 2023, eq. 1). A guardrail: the target's weights are unchanged.

    The whole budget reinforces a copy of the target.
    """

    learning_rate: float = 1e-3
    alpha: float = 5.0

    def unlearn(self, model, request):
        def guarded(reinforced):
            return GenericAnswers(model, reinforced, self.alpha)

        request = replace(with_earlier(request), meter=ShownAs(request.meter, guarded))
        return guarded(super().unlearn(copy.deepcopy(model), request))
