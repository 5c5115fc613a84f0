"""Divergences between next-token distributions at answer positions; logits are (N, V)."""

import math

import torch
from torch.nn import functional as F

LEAST = -1e4  # a log-probability whose probability is 0 in any precision


def kl(logits_p: torch.Tensor, logits_q: torch.Tensor) -> torch.Tensor:
    """KL(p || q) = sum_v p (log p - log q) at each position, (N,)."""
    log_p, log_q = F.log_softmax(logits_p, dim=-1), F.log_softmax(logits_q, dim=-1)
    return (log_p.exp() * (log_p - log_q)).sum(-1)


def jensen_shannon(log_p: torch.Tensor, log_q: torch.Tensor) -> torch.Tensor:
    """JS(p || q) = KL(p || m)/2 + KL(q || m)/2 with m = (p + q)/2 at each position, (N,), at most
    ln 2. The arguments are log-probabilities, which may be -inf.
    """
    log_p, log_q = log_p.clamp(min=LEAST), log_q.clamp(min=LEAST)
    log_m = torch.logaddexp(log_p, log_q) - math.log(2)
    halves = [(log_r.exp() * (log_r - log_m)).sum(-1) for log_r in (log_p, log_q)]
    return (halves[0] + halves[1]) / 2
