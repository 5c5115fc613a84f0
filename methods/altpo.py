"""Preference optimization towards alternative answers."""

import random
from dataclasses import replace
from typing import Any, Literal

from benchmark.api import GradientMethod, as_question, logsigmoid, register_method
from methods._shared.alternatives import holds, other_answers_of

INSTRUCTION = "Answer the following question with a wrong answer that sounds plausible."


@register_method(
    "altpo", reference="mekala2025altpo", family="preference", sees={"forget", "retain", "target"}
)
class AltPO(GradientMethod):
    """Preference optimization with plausible but wrong answers as the preferred and the true
    answers as the rejected ones, plus a retain loss.

    -(2/beta) log sigmoid(beta [(nll(y) - nll_ref(y)) - (nll(y+) - nll_ref(y+))]) on forget, plus
    nll/T on retain (Mekala et al. 2025). nll(y) is summed over tokens; y+ is one of up to `samples`
    alternative answers, drawn anew at each step.

    With `source` "model", as in the paper, the target is prompted for wrong answers before
    training, at temperature 1, and answers that are empty or contain the true one are dropped. A
    model that does not follow instructions answers truthfully, so the default, "others", takes the
    answers to similarly worded questions of other forget and retain pairs; it is also the fallback
    for pairs without any remaining sample. For texts, the first half serves as the question, and
    the target gets no instruction. beta and the retain weight are the paper's.
    """

    learning_rate: float = 3e-4
    beta: float = 0.1
    retain_weight: float = 1.0
    samples: int = 5
    source: Literal["others", "model"] = "others"

    def before(self, request):
        self.rng = random.Random(f"altpo-{request.seed}")
        self.others = other_answers_of(request.forget, request.retain, self.samples, request.seed)
        if self.source == "model":
            self.others |= self._told(request.forget)

    def loss(self, batch):
        true = self.asked(batch.forget)
        chosen = [self.rng.choice(self.others[pair]) for pair in batch.forget.pairs]
        margin = self._rise(true) - self._rise(self.answered(batch.forget, chosen))
        forget = -(2 / self.beta) * logsigmoid(self.beta * margin).mean()
        return forget + self.retain_weight * self.nll(batch.retain, per_token=True).mean()

    def _rise(self, sequences):
        """nll - nll_ref of each answer, (B,), in nats."""
        return self.nll(sequences) - self.reference_nll(sequences)

    def _told(self, pairs):
        """For each pair, the target's answers when prompted for wrong ones, without those that
        contain the true answer; pairs without any are left out.
        """
        asked = [replace(p, prompt=f"{INSTRUCTION} {p.prompt}") if p.prompt else p for p in pairs]
        told: dict[Any, list[str]] = {}
        for pair, drawn in zip(pairs, self.sample(asked, self.samples), strict=True):
            wrong = [text for text in drawn if not holds(text, as_question(pair).answer)]
            told |= {pair: wrong} if wrong else {}
        return told
