"""Loss adjustment with forget data alone: refusals against answers under an f-divergence."""

import torch
from torch.nn import functional as F

from benchmark.api import GradientMethod, register_method
from methods._shared.refusals import refusals


@register_method("flat", reference="wang2024flat", family="preference", sees={"forget"})
class FLAT(GradientMethod):
    """Raises the probability of a refusal and lowers that of the true answer through a bounded
    divergence between the two. It needs no retain data.

    -P(refusal) + P(answer)^2/4 + P(answer), P being the mean probability of a sequence's answer
    tokens: the Pearson form (Wang et al. 2024, table 1). No retain loss.

    Public code averages over ignored positions too; here answer tokens alone count.
    """

    learning_rate: float = 1e-4

    def loss(self, batch):
        answers = self._mean_probability(self.asked(batch.forget))
        texts = refusals(len(batch.forget.pairs))
        refused = self._mean_probability(self.answered(batch.forget, texts))
        return (-refused + answers**2 / 4 + answers).mean()

    def _mean_probability(self, sequences):
        """(B,)."""
        nll = F.cross_entropy(self.logits(sequences), sequences.targets, reduction="none")
        count = len(sequences.pairs)
        zeros = torch.zeros(count, device=nll.device)
        total = zeros.index_add(0, sequences.rows, (-nll).exp())
        return total / torch.bincount(sequences.rows, minlength=count)
