"""Maximizing entropy: predictions on forget answers are pushed towards the uniform distribution."""

from typing import Literal

from benchmark.api import GradientMethod, kl_from_uniform, kl_to_uniform, register_method

DIVERGENCES = {"from_uniform": kl_from_uniform, "to_uniform": kl_to_uniform}


@register_method("me_gd", reference="yuan2024closer", family="entropy", sees={"forget", "retain"})
class MEGD(GradientMethod):
    """Entropy maximization for the model's predictions on forget answers, plus a retain loss.

    `forget_weight` KL(uniform || p), averaged over the answer positions of forget, plus nll/T on
    retain. The direction of the divergence is the one in the code of Yuan et al. 2024.

    That code covers question, answer and padding, with a weight of 0.1 on TOFU and 0.5 on real
    facts. Section 4 of the paper states KL(p || uniform), `direction="to_uniform"`, over question
    and answer, `positions="all"`.
    """

    learning_rate: float = 3e-4
    forget_weight: float = 0.1
    direction: Literal["from_uniform", "to_uniform"] = "from_uniform"
    positions: Literal["answer", "all"] = "answer"

    def loss(self, batch):
        sequences = batch.forget if self.positions == "answer" else self.whole(batch.forget)
        forget = DIVERGENCES[self.direction](self.logits(sequences)).mean()
        return self.forget_weight * forget + self.nll(batch.retain, per_token=True).mean()
