"""Attacks that read answers out of earlier layers, with the model's own head or a linear probe.

Knowledge in the hidden states of a layer may not reach the output. Both attacks return a model that
ends at a layer, so it is prompted and scored like any other.
"""

from __future__ import annotations

import math
import random
import warnings
from collections.abc import Iterable
from typing import Any

import torch
from pydantic import PositiveInt

from benchmark.attacks.blocks import Depth, layer_at, up_to
from benchmark.core.attack import Attack, AttackRequest
from benchmark.core.registry import register_attack
from benchmark.inference.predictors import ModelPredictor
from benchmark.metrics.probability import mean_of
from benchmark.models.placement import looking_at
from benchmark.tokens.batches import collate
from benchmark.training.activations import answer_states, blocks_of

BATCH_SIZE = 32
ITERATIONS = 50  # of L-BFGS


def likeliest(models: Iterable[Any], request: AttackRequest) -> Any:
    """The model with the highest mean log-likelihood of the forget set's answers; the first on
    ties.

    One layer is chosen for the whole forget set: choosing the best layer for each example would
    take a maximum over noise, which is high even without any knowledge.
    """
    pairs = [example.pair for example in request.forget]

    def likelihood(model: Any) -> float:
        with looking_at(model):
            scores = ModelPredictor(model, request.tokenizer).score(pairs)
        return math.fsum(mean_of(scores[pair].logprobs) for pair in pairs) / len(pairs)

    return max(models, key=likelihood)


@register_attack(
    "logit_lens",
    version=1,
    source="nostalgebraist 2020 (logit lens); Łucki et al. 2024 (An Adversarial Perspective)",
)
class LogitLens(Attack):
    """Decodes the layer at which the forget set's answers are most likely on average, with the
    model's own final norm and head. Also scored at the relative depths in `points`.
    """

    kept = 24
    points: tuple[Depth, ...] = ()

    def apply(self, model, request: AttackRequest):
        for point in self.points:
            request.look(f"{point:.2f}", up_to(layer_at(point, model), model))
        layers = range(len(blocks_of(model)), 0, -1)  # on ties the last layer
        return likeliest((up_to(layer, model) for layer in layers), request)


@register_attack(
    "probe",
    version=1,
    source="Alain & Bengio 2017 (Understanding Intermediate Layers), as a read-out of answers",
)
class Probe(Attack):
    """Fits a linear classifier that predicts an answer's next token from a layer's states, on the
    answers of `examples` retain pairs, and decodes with it in place of the head. The layers at the
    relative depths in `points` are all scored; the attack uses the one at which the forget set's
    answers are most likely.
    """

    examples: PositiveInt
    points: tuple[Depth, ...]

    def apply(self, model, request: AttackRequest):
        read_outs = []
        for point in self.points:
            read_outs.append(probed(up_to(layer_at(point, model), model), self.examples, request))
            request.look(f"{point:.2f}", read_outs[-1])
        return likeliest(reversed(read_outs), request)


def probed(lens: Any, examples: int, request: AttackRequest) -> Any:
    """The model with a head fitted to its last layer on up to `examples` retain pairs."""
    rng = random.Random(f"probe-{request.seed}")
    pairs = rng.sample(request.retain, min(examples, len(request.retain)))
    layer, states, tokens = len(blocks_of(lens)), [], []
    with looking_at(lens), torch.inference_mode():
        for start in range(0, len(pairs), BATCH_SIZE):
            batch = collate(pairs[start : start + BATCH_SIZE], request.tokenizer, lens)
            states += answer_states(lens, batch, [layer])
            tokens.append(batch.targets)
    head = lens.get_output_embeddings().weight
    fitted = linear_read_out(torch.cat(states), torch.cat(tokens), len(head))
    lens.set_output_embeddings(fitted.to(head.device, head.dtype))
    lens.config.tie_word_embeddings = False
    return lens


def linear_read_out(states: torch.Tensor, tokens: torch.Tensor, vocabulary: int) -> torch.nn.Linear:
    """Multinomial logistic regression of the tokens (N,) on the states (N, H), as a head.

    At a state of zero, all unseen tokens together are as likely as the least likely seen token.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = LogisticRegression(max_iter=ITERATIONS).fit(
            states.float().cpu().numpy(), tokens.cpu().numpy()
        )
    head = torch.nn.Linear(states.shape[1], vocabulary)
    rarest = float(fitted.intercept_.min()) - math.log(max(1, vocabulary - len(fitted.classes_)))
    with torch.no_grad():
        head.weight.zero_()
        head.bias.fill_(rarest)
        head.weight[fitted.classes_] = torch.from_numpy(fitted.coef_).float()
        head.bias[fitted.classes_] = torch.from_numpy(fitted.intercept_).float()
    return head.requires_grad_(False)
