"""Jensen-Shannon divergences, which are bounded, from a refusal and from the target."""

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
    """Distillation towards a short refusal on forget prompts and towards the target's predictions
    on retain prompts. Both losses are Jensen-Shannon divergences and therefore bounded.

    mean_t JS(q_t || onehot(w_t)) on forget, plus mean_t JS(q_t || q_ref_t) on retain, where q_t and
    q_ref_t are the next-token distributions of the model and of the target at answer position t,
    and w is `refusal`, its tokens repeated over the length of the answer (Singh et al. 2025, eq. 3
    and 4). Each divergence is at most ln 2.
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
        """One-hot log-probabilities (N, V) of the refusal's tokens, repeated from the start of each
        answer.
        """
        rows = sequences.rows.contiguous()
        starts = torch.searchsorted(rows, rows)  # rows of an answer are contiguous and in order
        places = torch.arange(len(rows), device=rows.device) - starts
        wanted = self.tokens.to(rows.device)[places % len(self.tokens)]
        return torch.full_like(said, -torch.inf).scatter(1, wanted[:, None], 0.0)
