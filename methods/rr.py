"""Circuit breakers: hidden states on forget data are made orthogonal to the target's."""

from benchmark.api import GradientMethod, register_method
from methods._shared.layers import layer_at


@register_method(
    "rr", reference="zou2024circuit", family="representation", sees={"forget", "retain", "target"}
)
class RR(GradientMethod):
    """Training that makes the hidden states of forget answers orthogonal to the target's and keeps
    the hidden states of retain answers close to the target's (circuit breakers).

    Representation rerouting: `weight` times (1-s) relu(cos(h, h_ref)) on forget plus s |h -
    h_ref|_2 on retain, with s = t / 2T at step t of T, counted from 0 (Zou et al. 2024, algorithm
    1).

    Both terms are means over layers and answer positions of the hidden states h (N, H). The two
    layers are close to the paper's relative depths, 10 and 20 of 32, and the weight of 10 is the
    paper's. The paper trains adapters (`lora`).
    """

    learning_rate: float = 3e-3
    first: float = 0.33
    second: float = 0.66
    weight: float = 10.0

    def before(self, request):
        self.layers = sorted({layer_at(share, self._model) for share in (self.first, self.second)})
        self.share, self.rise = 0.0, 0.5 / request.budget.steps

    def loss(self, batch):
        away = _mean(
            (h * ref).sum(-1).div(h.norm(dim=-1) * ref.norm(dim=-1) + 1e-8).relu()
            for h, ref in self._both(batch.forget)
        )
        kept = _mean((h - ref).norm(dim=-1) for h, ref in self._both(batch.retain))
        share, self.share = self.share, self.share + self.rise
        return self.weight * ((1 - share) * away + share * kept)

    def _both(self, sequences):
        """The pair (h, h_ref) of each layer."""
        states = self.hidden_states(sequences, self.layers)
        return zip(states, self.reference_hidden_states(sequences, self.layers), strict=True)


def _mean(by_layer):
    """The mean over layers of the means over positions."""
    means = [values.mean() for values in by_layer]
    return sum(means) / len(means)
