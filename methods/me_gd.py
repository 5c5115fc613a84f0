"""Maximising entropy: answers to what is to be forgotten become a guess among all tokens."""

from benchmark.api import GradientMethod, kl_from_uniform, register_method


@register_method("me_gd", reference="yuan2024closer", family="entropy", sees={"forget", "retain"})
class MEGD(GradientMethod):
    """KL(uniform || p) over the answer positions of forget, plus nll/T on retain (Yuan et al.
    2024, section 4).
    """

    learning_rate: float = 3e-4
    forget_weight: float = 0.1

    def loss(self, batch):
        forget = kl_from_uniform(self.logits(batch.forget)).mean()
        return self.forget_weight * forget + self.nll(batch.retain, per_token=True).mean()
