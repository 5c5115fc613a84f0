"""Loss adjustment with only forget data: refusals against true answers under an f-divergence."""

import torch
from torch.nn import functional as F

from benchmark.api import GradientMethod, register_method
from methods._shared.refusals import refusals


@register_method("flat", reference="wang2024flat", family="preference", sees={"forget"})
class FLAT(GradientMethod):
    """Training that raises the probability of a refusal and lowers the probability of the true
    answer, with a bounded loss derived from an f-divergence. It needs no retain data.

    -P(refusal) + P(answer)^2/4 + P(answer) on forget, where P is the mean probability of a
    sequence's answer tokens: the Pearson form (Wang et al. 2024, table 1). Public code also
    averages over ignored positions; here only answer tokens count.
    """

    learning_rate: float = 1e-4

    def loss(self, batch):
        answers = self._mean_probability(self.asked(batch.forget))
        texts = refusals(len(batch.forget.pairs))
        refused = self._mean_probability(self.answered(batch.forget, texts))
        return (-refused + answers**2 / 4 + answers).mean()

    def _mean_probability(self, sequences):
        """Mean probability of each sequence's answer tokens, (B,)."""
        nll = F.cross_entropy(self.logits(sequences), sequences.targets, reduction="none")
        count = len(sequences.pairs)
        zeros = torch.zeros(count, device=nll.device)
        total = zeros.index_add(0, sequences.rows, (-nll).exp())
        return total / torch.bincount(sequences.rows, minlength=count)
