"""Methods that treat each sequence by how strongly it is memorized (Barbulescu & Triantafillou
2024).
"""

import random
from dataclasses import replace

from benchmark.api import Budget, GradientMethod, negated, register_method


@register_method("sga", reference="barbulescu2024each", family="ascent", sees={"forget"})
class SGA(GradientMethod):
    """Gradient ascent on only those sequences that the model still memorizes. Training stops once
    none is left.

    -nll/T on {x in forget: MA(x) > `threshold`}, selected anew for each epoch, where MA(x), the
    memorization accuracy, is the share of answer tokens that greedy decoding predicts given the
    tokens before them (Barbulescu & Triantafillou 2024).

    If no sequence exceeds the threshold at the start, it trains for one epoch on the most memorized
    share `top` of the sequences. The paper's threshold is the mean accuracy on unseen text, which
    methods here do not see: the default is the accuracy on never-seen passages of the development
    world.
    """

    learning_rate: float = 1.5e-4
    threshold: float = 0.5
    top: float = 0.2

    def loss(self, batch):
        return -self.nll(batch.forget, per_token=True).mean()

    def batches(self, request):
        rng, size = random.Random(f"sga-{request.seed}"), request.budget.batch_size
        chosen = self.memorized(request.forget) or self._most_memorized(request.forget)
        while chosen:
            rng.shuffle(chosen)
            for start in range(0, len(chosen), size):
                yield chosen[start : start + size], []
            chosen = self.memorized(request.forget)

    def memorized(self, pairs):
        """The pairs whose memorization accuracy is above the threshold."""
        return [
            p
            for p, accuracy in zip(pairs, self.accuracy(pairs), strict=True)
            if accuracy > self.threshold
        ]

    def _most_memorized(self, pairs):
        by_accuracy = dict(zip(pairs, self.accuracy(pairs), strict=True))
        return sorted(pairs, key=lambda pair: -by_accuracy[pair])[
            : max(1, round(self.top * len(pairs)))
        ]


@register_method("tau", reference="barbulescu2024each", family="ascent", sees={"forget"})
class TAU(SGA):
    """Selective gradient ascent (`sga`) for at most half of the budget, then task arithmetic on the
    sequences that are still memorized.

    theta - `scale` (theta' - theta), where theta are the weights after `sga`, and theta' are these
    weights fine-tuned for the rest of the budget on the sequences that are still above the
    threshold; if there are none, the result is theta (Barbulescu & Triantafillou 2024).
    """

    learning_rate: float = 2e-4
    tuning_rate: float = 2e-4
    scale: float = 1.0

    def unlearn(self, model, request):
        half = Budget(request.budget.steps // 2, request.budget.batch_size)
        model = super().unlearn(model, replace(request, budget=half))
        left = self.memorized(request.forget)
        return (
            negated(model, left, request, self.tuning_rate, self.scale, self.lora)
            if left
            else model
        )
