"""A task variant on a track: its data, its settings, and the keys of its models."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

from benchmark.core.inputs import Inputs
from benchmark.core.registry import task_named
from benchmark.core.request import Budget
from benchmark.core.task import Task
from benchmark.core.task_data import Document, TaskData
from benchmark.inference.generation import GenerationSettings
from benchmark.metrics import METRICS
from benchmark.metrics.base import MEMBERSHIP_HOLDOUT
from benchmark.metrics.sample import SCORED, STANDARDIZED, WHOLE, sampled
from benchmark.models import models_of
from benchmark.models.pretrained import TUNING_VERSION
from benchmark.models.tracks import PretrainedTrack, Track
from benchmark.records.schema import variant_name

TARGET_SEED = 0  # oracles follow from 1
HARNESS_ITEMS = 40  # of each task of the harness: they are asked of every model
RETRAIN_SEED = 1000  # the method `retrain` trains from this seed upwards: no oracle uses them


@lru_cache(maxsize=8)
def _data_of(task: str, variant: str, track: Track, inputs: Inputs) -> TaskData:
    return task_named(task)().data(variant, models_of(track, inputs).data_source)


@dataclass(frozen=True)
class Variant:
    """One task variant on one track, with its data and the keys of its models."""

    track: Track
    task: str
    variant: str
    oracles: int
    inputs: Inputs
    backend: str = "hf"

    @property
    def name(self) -> str:
        return variant_name(self.task, self.variant)

    @property
    def data(self) -> TaskData:
        return _data_of(self.task, self.variant, self.track, self.inputs)

    @property
    def definition(self) -> type[Task]:
        return task_named(self.task)

    @property
    def harness(self) -> str:
        """The group of general tasks that utility is measured on beside the task's own splits,
        empty for none.
        """
        return self.track.harness

    @property
    def settings(self) -> dict[str, Any]:
        """How answers are made, what else is asked, what attacks do and how weights are tuned:
        part of a cell's id.
        """
        asked = {"harness": self.harness, "harness_items": HARNESS_ITEMS} if self.harness else {}
        asked |= {"attacks": [attack.recipe() for attack in self.track.attacks]}
        asked |= {"profile": asdict(self.track.profile)}
        if isinstance(self.track, PretrainedTrack):
            asked["tuning"] = TUNING_VERSION
        if self.has_published_models:  # what retraining starts from is no part of them
            asked["base"] = models_of(self.track, self.inputs).base_key
        return self.generation.as_dict() | asked

    @property
    def generation(self) -> GenerationSettings:
        return GenerationSettings(
            self.backend, self.definition.max_new_tokens, samples=self.definition.samples
        )

    @property
    def has_published_models(self) -> bool:
        """Whether target and oracles are models that others fine-tuned."""
        return isinstance(self.track, PretrainedTrack) and bool(self.track.published)

    @cached_property
    def data_fingerprint(self) -> str:
        return self.data.fingerprint

    @cached_property
    def metrics(self) -> dict[str, int]:
        """Versions of the metrics that its samples can be scored by."""
        forms, data = {*self.data.forms.values(), *([""] if self.harness else [])}, self.data
        asked = {
            SCORED: bool(self.harness),
            STANDARDIZED: self.track.profile.standardized,
            WHOLE: not any(data.splits["forget"]["answer_prefix"]),
        }
        able = sampled(self.generation.samples) | {name for name, wanted in asked.items() if wanted}
        return {
            m.id: m.version
            for m in METRICS.values()
            if m.forms & forms
            and m.needs <= able
            and not (m.contrast and MEMBERSHIP_HOLDOUT not in data.roles)
        }

    @property
    def budget(self) -> Budget:
        """What a method may spend on one request."""
        whole = self.track.budget
        return replace(whole, steps=max(1, round(whole.steps * self.definition.budget_share)))

    @property
    def size(self) -> str:
        """One line: what is to be forgotten and the form of its answers, what is asked beside it,
        what a method may spend, and what cannot be scored.
        """
        data = self.data
        sizes, requests = {role: len(data.splits[role]) for role in data.roles}, len(data.requests)
        asked = f"{sizes.pop('forget')} examples to forget" + (
            f" in {requests} requests" if requests > 1 else ""
        )
        others = ", ".join(f"{count} {role}" for role, count in sizes.items())
        spent = f"{self.budget.steps} steps of {self.budget.batch_size}" + " for each" * (
            requests > 1
        )
        silent = "" if MEMBERSHIP_HOLDOUT in sizes else "; without a holdout, privacy is not scored"
        return (
            f"{self.track.name} · {self.name}: {asked} ({data.forms['forget']}), {others}; "
            f"{spent}{silent}"
        )

    @property
    def oracle_seeds(self) -> range:
        return range(1, self.oracles + 1)

    def readings(self, seed: int) -> list[int]:
        """Which models a reference has, by the number of requests that they never saw anything of.

        The target (TARGET_SEED) saw all; an oracle has a model for each request, the last for all
        of them.
        """
        if seed == TARGET_SEED or self.data.proxies:
            return [0]  # a proxy reference is the target, asked about what never existed
        return list(range(1, len(self.data.requests) + 1))

    def model_keys(self, seed: int) -> list[str]:
        """Keys of the models of the target or of an oracle: a plan asks for them in each cell."""
        if seed not in self._keys:
            key = models_of(self.track, self.inputs).trained_key
            self._keys[seed] = [key(self.documents(own), seed) for own in self.readings(seed)]
        return self._keys[seed]

    @cached_property
    def _keys(self) -> dict[int, list[str]]:
        return {}

    def documents(self, unseen: int) -> tuple[Document, ...]:
        """What a model reads after the base that is never to see anything of the first `unseen`
        requests.
        """
        return self.data.documents_after(unseen)
