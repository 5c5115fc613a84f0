"""A task variant on a track: its data, its settings, and the keys of its models."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

from benchmark.core.attack import Attack, Measurement
from benchmark.core.examples import Example, to_examples
from benchmark.core.hashing import fingerprint
from benchmark.core.inputs import Inputs
from benchmark.core.registry import task_named
from benchmark.core.request import Budget
from benchmark.core.task import Task
from benchmark.core.task_data import Document, TaskData
from benchmark.inference.settings import PREFIX_STRIDE, GenerationSettings
from benchmark.metrics.base import MEMBERSHIP_HOLDOUT, TEXT
from benchmark.metrics.stages import HARNESS, MODEL_STAGE
from benchmark.models import models_of
from benchmark.models.pretrained import TUNING_VERSION
from benchmark.models.tracks import PretrainedTrack, Track
from benchmark.records.identity import (
    DEVELOPMENT_SUFFIX,
    ORACLE,
    TARGET,
    BudgetInfo,
    Evaluation,
    Identity,
    MethodInfo,
    TaskInfo,
    variant_name,
)

TARGET_SEED = 0  # of the first target; the oracles' seeds count from 1
HARNESS_ITEMS = 40  # per task of the harness: few, since every model is evaluated on them
# Shares of the budget at which a trajectory is evaluated, closer together where most is forgotten;
# its end points are the target and the final model.
BUDGET_POINTS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8)
RETRAIN_SEED = 1000  # the first seed of the method `retrain`; no oracle uses it or those above


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
        """The group of general tasks for utility, beside the task's own splits; empty for none."""
        return self.track.harness

    def identity(self, method: MethodInfo, seed: int) -> Identity:
        """The identity of a method's cell, or of a reference, with this seed."""
        is_reference = method.name in (TARGET, ORACLE)
        role = method.name if is_reference else TARGET
        of = seed if is_reference else self.target_seed(method.name, seed)
        return Identity(
            track=self.track.name,
            task=TaskInfo(
                name=self.task,
                version=self.definition.version,
                variant=self.variant,
                data_fingerprint=self.data_fingerprint,
            ),
            models=self.model_keys(role, of),
            method=method,
            seed=seed,
            budget=BudgetInfo(steps=self.budget.steps, batch_size=self.budget.batch_size),
            precision=self.track.precision,
            settings=self.settings,
        )

    @property
    def settings(self) -> dict[str, Any]:
        """What the weights depend on besides data, method and budget: how models are prompted and
        computed, how they are fine-tuned and updated, and at which points of the budget a
        trajectory is evaluated.
        """
        made: dict[str, Any] = {"profile": self.track.profile.stated}
        if self.definition.trajectory:
            made["trajectory"] = list(BUDGET_POINTS)
        if isinstance(self.track, PretrainedTrack):
            made |= {"tuning": TUNING_VERSION, **self.track.stated_updates}
        if self.has_published_models:  # their keys do not cover the base of retraining
            made["base"] = models_of(self.track, self.inputs).base_key
        return made

    @property
    def evaluation(self) -> Evaluation:
        """The settings with which models are evaluated."""
        return Evaluation(generation=asdict(self.generation) | {"prefix_stride": PREFIX_STRIDE})

    @property
    def recipes(self) -> dict[str, dict[str, Any]]:
        """The stages of every record's outputs, each with its specific settings."""
        harness = {"group": self.harness, "items": HARNESS_ITEMS}
        return {
            MODEL_STAGE: {},
            **({HARNESS: harness} if self.harness else {}),
            **{attack.name: self._recipe(attack) for attack in self.attacks},
        }

    def _recipe(self, attack: Attack) -> dict[str, Any]:
        """The attack's own recipe, with a digest of its questions if the task supplies them, and
        with the holdout if that is scored too.
        """
        given = [[e.probes.get(attack.name) for e in rows] for rows in self._attackable]
        told = [[question and asdict(question) for question in rows] for rows in given]
        questions = {"questions": fingerprint(told)} if any(map(any, given)) else {}
        compared = {"compared_with": MEMBERSHIP_HOLDOUT} if self.unseen(attack) else {}
        return attack.recipe() | questions | compared

    def unseen(self, attack: Attack) -> list[Example]:
        """The holdout texts that are also scored after an attack, for comparison: a model that has
        read more text of some kind predicts forgotten text of that kind better. Empty if the attack
        needs no comparison.
        """
        data, alone = self.data, attack.asks or attack.scores_alone
        if alone or isinstance(attack, Measurement) or MEMBERSHIP_HOLDOUT not in data.roles:
            return []
        return data.examples(MEMBERSHIP_HOLDOUT) if data.forms["forget"] in TEXT else []

    @cached_property
    def attacks(self) -> tuple[Attack, ...]:
        """The track's attacks that have something to score on the forget set and on every proxy
        reference: a text has no question to rephrase, a one-word answer has nothing left after a
        prefix, and a proxy has no weights. Attacks that need a model that is not available are left
        out too.
        """
        return tuple(
            attack
            for attack in self.track.attacks
            if attack.is_available()
            and all(attack.scored(rows) for rows in self._attackable)
            and not (isinstance(attack, Measurement) and attack.needs_oracle and self.data.proxies)
        )

    @cached_property
    def _attackable(self) -> list[list[Example]]:
        """The forget set, and its replacement in each proxy reference."""
        return [self.data.examples("forget"), *map(to_examples, self.data.proxies)]

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

    @property
    def budget(self) -> Budget:
        """A method's budget for one request."""
        full = self.track.budget
        return replace(full, steps=max(1, round(full.steps * self.definition.budget_share)))

    @property
    def size(self) -> str:
        """One line: size and answer form of the forget set, sizes of the other splits, the budget,
        and what cannot be scored.
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
        missing = [a.name for a in self.track.attacks if not a.is_available()]
        silent = f"; unavailable: {', '.join(missing)}" if missing else ""
        if MEMBERSHIP_HOLDOUT not in sizes:
            silent += "; without a holdout, privacy is not scored"
        return (
            f"{self.track.name} · {self.name}: {asked} ({data.forms['forget']}), {others}; "
            f"{spent}{silent}"
        )

    @property
    def oracle_seeds(self) -> range:
        return range(1, self.oracles + 1)

    def target_seed(self, method: str, seed: int) -> int:
        """The seed of the target that a run starts from, or that an oracle is compared with.

        Each seed of a method has its own target, trained with that seed, so that intervals over
        seeds include the variation between targets, which also differ from machine to machine.
        There is only one target if none is trained here, and on development tracks, whose trials
        are compared with each other.
        """
        given = self.has_published_models or self.data.proxies or not self.documents(0)
        alike = given or self.track.name.endswith(DEVELOPMENT_SUFFIX) or method == ORACLE
        return TARGET_SEED if alike else seed

    def readings(self, role: str) -> list[int]:
        """The models of a reference, each given as the number of requests that it never saw.

        A target saw all requests. An oracle has one model per request, trained without that request
        and all before it.
        """
        if role == TARGET or self.data.proxies:
            return [0]  # a proxy reference is the target, asked about nonexistent subjects
        return list(range(1, len(self.data.requests) + 1))

    def model_keys(self, role: str, seed: int) -> list[str]:
        """The keys of the models of a target or an oracle, cached because plans need them for every
        cell.
        """
        if (role, seed) not in self._keys:
            key = models_of(self.track, self.inputs).trained_key
            texts = map(self.documents, self.readings(role))
            self._keys[role, seed] = [key(documents, seed) for documents in texts]
        return self._keys[role, seed]

    @cached_property
    def _keys(self) -> dict[tuple[str, int], list[str]]:
        return {}

    def documents(self, unseen: int) -> tuple[Document, ...]:
        """The training texts, after the base, of a model that never sees the first `unseen`
        requests.
        """
        return self.data.documents_after(unseen)
