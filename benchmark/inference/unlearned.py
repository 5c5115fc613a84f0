"""Results of methods: changed weights, or weights with a guardrail around them."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

import torch

from benchmark.core.registry import lookup
from benchmark.core.unlearned import Division, Unlearned
from benchmark.inference.guardrail_predictors import (
    ConstantPredictor,
    PrefixPredictor,
    TransformedPredictor,
)
from benchmark.inference.predictors import Predictor, predictor_of

_KINDS: dict[str, type[UnlearnedModel]] = {}


@dataclass(frozen=True)
class UnlearnedModel(ABC):
    """A model, with the filter, prompt or decoding rule that a subclass adds.

    Subclasses are frozen dataclasses and define what is evaluated (`predictor`). Fields that can be
    saved are models, numbers, texts, tensors, and lists or dictionaries of the last three.
    """

    model: Any
    division: ClassVar[Division] = "guardrail"

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        _KINDS[f"{cls.__module__}.{cls.__qualname__}"] = cls

    @property
    def weights(self) -> Any:
        return self.model

    @abstractmethod
    def predictor(self, tokenizer: Any, backend: str) -> Predictor: ...

    def save(self, folder: Path) -> None:
        """Writes the fields and the class name; UnpicklingError if a field could not be loaded
        again.
        """
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        models: dict[str, Any] = {
            name: v for name, v in values.items() if isinstance(v, torch.nn.Module)
        }
        for name, model in models.items():
            model.save_pretrained(folder / name)
        rest = {name: value for name, value in values.items() if name not in models}
        torch.save(rest, folder / "rest.pt")
        torch.load(folder / "rest.pt", weights_only=True)
        kind = f"{type(self).__module__}.{type(self).__qualname__}"
        (folder / "kind.json").write_text(json.dumps({"kind": kind, "models": sorted(models)}))


def as_unlearned(result: Any) -> Unlearned:
    """The result of a method as an `Unlearned`; a bare model counts as changed weights."""
    return result if isinstance(result, Unlearned) else Weights(result)


def weights_digest(model: torch.nn.Module) -> str:
    """16 hex digits of a hash of the names and bytes of all weights."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()[:16]


def load_unlearned(
    folder: Path, load_model: Callable[[Path], Any], define: Callable[[], object] = lambda: None
) -> Unlearned:
    """Loads an `UnlearnedModel` saved to a folder. If its class is unknown, `define` is called to
    import it; BadInput if it is still unknown.
    """
    saved = json.loads((folder / "kind.json").read_text())
    if saved["kind"] not in _KINDS:
        define()
    models = {name: load_model(folder / name) for name in saved["models"]}
    rest = torch.load(folder / "rest.pt", weights_only=True)
    return lookup("kind of unlearned model", saved["kind"], _KINDS)(**models, **rest)


class Weights(UnlearnedModel):
    """A model whose weights were changed, without a guardrail."""

    division = "weights"

    def predictor(self, tokenizer: Any, backend: str) -> Predictor:
        return predictor_of(self.model, tokenizer, backend)


@dataclass(frozen=True)
class ConstantAnswers(UnlearnedModel):
    """A guardrail that gives the same answer to every prompt."""

    text: str

    def __post_init__(self) -> None:
        _require_text(self, self.text)

    def predictor(self, tokenizer: Any, backend: str) -> Predictor:
        return ConstantPredictor(self.text, tokenizer)


@dataclass(frozen=True)
class PromptPrefix(UnlearnedModel):
    """A guardrail that puts the same text before every prompt, as in in-context unlearning."""

    prefix: str

    def __post_init__(self) -> None:
        _require_text(self, self.prefix)

    def predictor(self, tokenizer: Any, backend: str) -> Predictor:
        return PrefixPredictor(predictor_of(self.model, tokenizer, backend), self.prefix)


class LogitsTransform(UnlearnedModel):
    """A guardrail that changes the logits before a token is chosen; subclasses define `transform`.

    The model in memory generates, whatever the backend, since vLLM does not expose its logits.
    """

    @abstractmethod
    def transform(self, ids: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        """The changed logits (B, K, V), which follow the last K of the tokens `ids` (B, L).

        The result at a position may depend only on the tokens up to it: all positions are passed at
        once when answers are scored (K = L, padded on the right), and only the last one (K = 1)
        when they are generated. A logit of -inf rules a token out.
        """

    def predictor(self, tokenizer: Any, backend: str) -> Predictor:
        return TransformedPredictor(self.model, tokenizer, transform=self.transform)


def _require_text(model: UnlearnedModel, text: Any) -> None:
    if not (isinstance(text, str) and text):
        raise ValueError(f"{type(model).__name__} needs a text that is not empty, found {text!r}")
