"""Bounded losses: Jensen-Shannon divergences towards a refusal and to the target."""

import torch
from torch.nn import functional as F

from benchmark.api import GradientMethod, register_method
from methods._shared.divergences import jensen_shannon


@register_method(
    "jensun",
    reference="singh2025jensun",
    family="distillation",
    sees={"forget", "retain", "target"},
)
class JensUn(GradientMethod):
    """Trains the model towards a short refusal on forget prompts and towards the target's
    predictions on retain prompts.
    Both losses are Jensen-Shannon divergences and therefore bounded.

    mean_t JS(q_t || onehot(w_t)) on forget, w being the tokens of `refusal` repeated over the
    answer, plus mean_t JS(q_t || target's q_t) on retain (Singh et al. 2025, eq. 3 and 4).

    Both terms are at most ln 2.
    """

    learning_rate: float = 3e-3
    refusal: str = " No Idea"
    forget_weight: float = 1.0
    retain_weight: float = 1.0

    def before(self, request):
        self.tokens = torch.tensor(
            request.tokenizer(self.refusal, add_special_tokens=False)["input_ids"]
        )

    def loss(self, batch):
        said = F.log_softmax(self.logits(batch.forget), dim=-1)
        forget = jensen_shannon(said, self._refused(batch.forget, said)).mean()
        kept = F.log_softmax(self.reference_logits(batch.retain), dim=-1)
        retain = jensen_shannon(F.log_softmax(self.logits(batch.retain), dim=-1), kept).mean()
        return self.forget_weight * forget + self.retain_weight * retain

    def _refused(self, sequences, said):
        """Log-probabilities (N, V) of the refusal's tokens, which begin anew with each answer."""
        rows = sequences.rows.contiguous()
        starts = torch.searchsorted(rows, rows)  # the rows of an answer stand together, in order
        places = torch.arange(len(rows), device=rows.device) - starts
        wanted = self.tokens.to(rows.device)[places % len(self.tokens)]
        return torch.full_like(said, -torch.inf).scatter(1, wanted[:, None], 0.0)
