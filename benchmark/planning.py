"""Planning: a suite becomes cells with their ids, and the jobs that produce them. Nothing runs here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from benchmark.data import EVALUATED_SPLITS, Budget, Document, TaskData, kind_of
from benchmark.errors import BadInput
from benchmark.evaluation.generation import GenerationSettings
from benchmark.evaluation.harness import group_tasks
from benchmark.ground import NotAsked
from benchmark.method import Method, create, source_hash
from benchmark.metrics import METRICS
from benchmark.metrics.sample import SCORED, STANDARDIZED, sampled
from benchmark.models import models_of
from benchmark.models.pretrained import TUNING_VERSION
from benchmark.models.store import ArtefactStore
from benchmark.models.tracks import PretrainedTrack, Track, track_named
from benchmark.records.identity import Identity
from benchmark.records.schema import ORACLE, TARGET, variant_name
from benchmark.records.store import ResultStore, read_record
from benchmark.registry import lookup, method_named, task_named, tasks
from benchmark.suite import MethodEntry, Suite
from benchmark.task import Task

TARGET_SEED = 0  # oracles follow from 1
HARNESS_ITEMS = 40  # of each task of the harness: they are asked of every model
RETRAIN_SEED = 1000  # the method `retrain` trains from this seed upwards: no oracle uses them


@lru_cache(maxsize=8)
def _data_of(task: str, variant: str, track: Track) -> TaskData:
    return task_named(task)().data(variant, models_of(track, ArtefactStore()).ground)


@dataclass(frozen=True)
class Variant:
    """One task variant on one track, with its data and the keys of its models."""

    track: Track
    task: str
    variant: str
    oracles: int
    backend: str = "hf"

    @property
    def name(self) -> str:
        return variant_name(self.task, self.variant)

    @property
    def data(self) -> TaskData:
        return _data_of(self.task, self.variant, self.track)

    @property
    def definition(self) -> type[Task]:
        return task_named(self.task)

    @property
    def harness(self) -> str:
        """The group of general tasks that utility is measured on beside the task's own splits, empty for none."""
        return self.track.harness

    @property
    def settings(self) -> dict[str, Any]:
        """How answers are made, what else is asked, what attacks do and how weights are tuned: part of a cell's id."""
        asked = {"harness": self.harness, "harness_items": HARNESS_ITEMS} if self.harness else {}
        if isinstance(self.track, PretrainedTrack):
            asked |= {"relearning_rate": self.track.relearning_rate, "tuning": TUNING_VERSION}
        if self.has_published_models:  # what retraining starts from is no part of them
            asked["base"] = models_of(self.track, ArtefactStore()).base_key
        return self.generation.as_dict() | asked

    @property
    def generation(self) -> GenerationSettings:
        return GenerationSettings(self.backend, self.definition.max_new_tokens, samples=self.definition.samples)

    @property
    def has_published_models(self) -> bool:
        """Whether target and oracles are models that others fine-tuned."""
        return isinstance(self.track, PretrainedTrack) and bool(self.track.published)

    @cached_property
    def data_fingerprint(self) -> str:
        return self.data.fingerprint

    @cached_property
    def kinds(self) -> frozenset[str]:
        """The kinds of examples that are evaluated."""
        return frozenset(kind_of(self.data.splits[split][0]["prompt"]) for split in EVALUATED_SPLITS)

    @cached_property
    def metrics(self) -> dict[str, int]:
        """Versions of the metrics that its samples can be scored by."""
        asked = {SCORED: self.harness, STANDARDIZED: self.track.ground == "model"}
        able = (
            self.data.features | sampled(self.generation.samples) | {name for name, wanted in asked.items() if wanted}
        )
        return {m.id: m.version for m in METRICS.values() if m.kinds & self.kinds and m.needs <= able}

    @property
    def budget(self) -> Budget:
        """What a method may spend on one request."""
        whole = self.track.budget
        return replace(whole, steps=max(1, round(whole.steps * self.definition.budget_share)))

    @property
    def size(self) -> str:
        """One line: what is to be forgotten, what is asked beside it, and what a method may spend."""
        splits = {split: len(rows) for split, rows in self.data.splits.items()}
        forgotten, requests = splits.pop("forget"), len(self.data.requests)
        asked = f"{forgotten} examples to forget" + (f" in {requests} requests" if requests > 1 else "")
        spent = f"{self.budget.steps} steps of {self.budget.batch_size}" + " for each" * (requests > 1)
        return f"{self.track.name} · {self.name}: {asked}, {sum(splits.values())} others, {spent}"

    @property
    def oracle_seeds(self) -> range:
        return range(1, self.oracles + 1)

    def readings(self, seed: int) -> list[int]:
        """Which models a reference has, by the number of requests that they never saw anything of.

        The target (TARGET_SEED) saw all; an oracle has a model for each request, the last for all of them.
        """
        if seed == TARGET_SEED or self.data.proxies:
            return [0]  # a proxy reference is the target, asked about what never existed
        return list(range(1, len(self.data.requests) + 1))

    def model_keys(self, seed: int, store: ArtefactStore) -> list[str]:
        """Keys of the models of the target or of an oracle."""
        models = models_of(self.track, store)
        return [models.trained_key(self.documents(unseen), seed) for unseen in self.readings(seed)]

    def documents(self, unseen: int) -> tuple[Document, ...]:
        """What a model reads after the base that is never to see anything of the first `unseen` requests."""
        return self.data.documents_after(unseen)

    def job(self, job_id: str, kind: str, label: str, needs: frozenset[str], **more: Any) -> Job:
        """A job of this variant."""
        return Job(job_id, kind, label, needs, self, **more)


@dataclass(frozen=True)
class Cell:
    """One unit of work, of caching and of resuming; `method` is a name or `path/to/file.py:Class`."""

    id: str
    track: str
    task: str
    variant: str
    method: str
    method_name: str
    parameters: dict[str, Any]
    seed: int
    oracles: int
    ground: str
    target_id: str
    oracle_ids: tuple[str, ...]

    @property
    def label(self) -> str:
        return f"{self.method_name} · {variant_name(self.task, self.variant)} · seed {self.seed}"

    def path(self, results: ResultStore) -> Path:
        return results.path(self.track, self.task, self.variant, self.method_name, self.id)

    def is_done(self, results: ResultStore) -> bool:
        """Whether it has a record; what failed is tried again."""
        path = self.path(results)
        return path.is_file() and read_record(path).status == "ok"


@dataclass(frozen=True)
class Job:
    """Something a worker does: build a model, measure a variant's references, or run a cell."""

    id: str
    kind: str  # "base", "model", "references" or "cell"
    label: str
    needs: frozenset[str]
    variant: Variant
    cells: tuple[Cell, ...] = ()
    seed: int = 0
    unseen: int = 0  # of a model: the number of requests that it never sees anything of


@dataclass(frozen=True)
class Plan:
    """What a suite asks for: every cell, those that have a record already, and the jobs for the rest.

    `missing` says of each variant that cannot be run here, because a model or a data set cannot be had, what it lacks,
    `sizes` of each other one how much it asks for. `unasked` are the (task, track) whose models nobody has asked yet.
    """

    suite: Suite
    cells: tuple[Cell, ...]
    references: tuple[Cell, ...]
    cached: frozenset[str]
    jobs: tuple[Job, ...] = field(default=())
    missing: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()
    unasked: tuple[tuple[str, str], ...] = ()

    @property
    def ids(self) -> frozenset[str]:
        return frozenset(c.id for c in (*self.cells, *self.references))


def expand_tasks(names: Iterable[str]) -> list[tuple[str, str]]:
    """(task, variant) pairs: `frequency` stands for all its variants, `frequency/low` for one."""
    pairs: list[tuple[str, str]] = []
    for name in names:
        task, _, variant = name.partition("/")
        known = {v: v for v in task_named(task).variants}
        chosen = [lookup(f"variant of {task}", variant, known)] if variant else list(known)
        pairs += [(task, v) for v in chosen if (task, v) not in pairs]
    return pairs


def restrict(
    suite: Suite, tracks: list[str], task_names: list[str], method_specs: list[str], seeds: list[int]
) -> tuple[Suite, list[int]]:
    """The suite narrowed to what the command line names; methods that it lacks are added with three seeds."""
    update: dict[str, Any] = {}
    if tracks:
        for name in tracks:
            track_named(name)
        update["tracks"] = tracks
    if task_names:
        update |= {"tasks": task_names, "only": {}}
    if method_specs:
        for spec in method_specs:
            method_named(spec)
        kept = [entry for entry in suite.methods if entry.name in method_specs]
        if tracks or task_names:  # then this method on this task or track, whatever the suite pairs
            own = [[entry for entry in kept if entry.name == name] for name in method_specs]
            kept = [entry for entries in own for entry in _on(tracks, task_names, entries)]
        added = dict.fromkeys(spec for spec in method_specs if spec not in {entry.name for entry in kept})
        update["methods"] = [*kept, *(MethodEntry(name=spec, seeds=3) for spec in added)]
    return suite.model_copy(update=update), list(dict.fromkeys(seeds))


def _on(tracks: list[str], task_names: list[str], entries: list[MethodEntry]) -> list[MethodEntry]:
    """A method's entries for these tracks, and of them those for these tasks or, where there are none, for others."""
    if tracks:
        entries = [e for e in entries if e.tracks is None or set(tracks) & set(e.tracks)]
    if not task_names:
        return entries
    wanted = set(expand_tasks(task_names))
    suited = [e for e in entries if e.tasks is None or wanted & set(expand_tasks(e.tasks))]
    return [entry.model_copy(update={"tasks": None}) for entry in suited or entries]


class Planner:
    """Makes plans; knows where artefacts and results are, and reads only whether they are there or failed."""

    def __init__(self, store: ArtefactStore, results: ResultStore) -> None:
        self.store, self.results = store, results

    def plan(self, suite: Suite, seeds: list[int] | None = None, force: bool = False) -> Plan:
        """The plan of a suite; `seeds` replaces the seeds of every method, `force` ignores existing records."""
        cells: list[Cell] = []
        references: list[Cell] = []
        jobs: list[Job] = []
        missing: list[str] = []
        sizes: list[str] = []
        unasked: list[tuple[str, str]] = []
        for variant in self._variants(suite):
            if lack := self._lack(variant, unasked):
                missing.append(f"{variant.track.name} · {variant.name}: {lack}")
                continue
            own_references = self._references(variant)
            own_cells = list(self._cells(variant, suite, own_references, seeds))
            sizes.append(variant.size)
            references += own_references
            cells += own_cells
            jobs += self._jobs(variant, own_references, own_cells, force)
        present = frozenset(c.id for c in (*cells, *references) if c.is_done(self.results))
        cached = frozenset() if force else present
        unique = {job.id: job for job in jobs}
        done = (tuple(cells), tuple(references), cached, tuple(unique.values()))
        surveys = tuple(dict.fromkeys(unasked))
        return Plan(suite, *done, missing=tuple(missing), sizes=tuple(sizes), unasked=surveys)

    def _lack(self, variant: Variant, unasked: list[tuple[str, str]]) -> str:
        """Which model, data set or survey cannot be had here, empty if all is there; surveys are noted in `unasked`."""
        try:
            for seed in (TARGET_SEED, *variant.oracle_seeds):
                variant.model_keys(seed, self.store)
        except BadInput as error:
            if isinstance(error, NotAsked):
                unasked.append((error.task, error.track))
            return str(error)
        data, proxies = variant.data, len(variant.data.proxies)
        if variant.has_published_models and (not data.documents or len(data.requests) > 1):
            return "published models take the place of models fine-tuned for one request, of which there are none here"
        if 0 < proxies < variant.oracles:
            return f"it has {proxies} proxy references, the suite wants {variant.oracles}"
        return ""

    @staticmethod
    def _variants(suite: Suite) -> Iterator[Variant]:
        """Every variant on the tracks that have the ground for it; BadInput if there is none."""
        tracks, wanted = [track_named(name) for name in suite.tracks], expand_tasks(suite.tasks)
        for name in (name for entry in suite.methods for name in entry.tracks or ()):
            track_named(name)
        chosen = {track_named(name).name: expand_tasks(only) for name, only in suite.only.items()}
        if doubled := [name for name, times in Counter(track.name for track in tracks).items() if times > 1]:
            raise BadInput(f"suite {suite.name}: two of its models are called {doubled[0]}; rename a folder")
        published = _published(suite, tracks)
        pairs = [
            (track, *names)
            for track in tracks
            for names in wanted
            if track.ground in task_named(names[0]).grounds and names in chosen.get(track.name, wanted)
        ]
        if not pairs:
            grounds = {name: " or ".join(sorted(task_named(name).grounds)) for name, _ in wanted}
            needs = ", ".join(f"{name} needs a {ground}" for name, ground in grounds.items())
            raise BadInput(f"suite {suite.name}: no track suits its tasks: {needs}; {', '.join(suite.tracks)} do not")
        for track, task, variant in pairs:
            models = published.get((task, variant), ())
            own = _as_wanted(track, suite, models) if isinstance(track, PretrainedTrack) else track
            yield Variant(own, task, variant, suite.oracles, suite.backend)

    def _identity(
        self, variant: Variant, method: str, source: str, parameters: dict, seed: int, model_seed: int
    ) -> str:
        budget = variant.budget
        return Identity(
            track=variant.track.name,
            task=variant.task,
            task_version=task_named(variant.task).version,
            variant=variant.variant,
            data_fingerprint=variant.data_fingerprint,
            model_fingerprint=variant.model_keys(model_seed, self.store)[-1],
            oracle_fingerprints=[key for s in variant.oracle_seeds for key in variant.model_keys(s, self.store)],
            method=method,
            method_source=source,
            parameters=parameters,
            budget={"steps": budget.steps, "batch_size": budget.batch_size},
            seed=seed,
            precision=variant.track.precision,
            generation=variant.settings,
            metrics=variant.metrics,
        ).id

    def _references(self, variant: Variant) -> list[Cell]:
        """The target's cell first, then the oracles'."""
        seeds = [TARGET_SEED, *variant.oracle_seeds]
        names = [TARGET if seed == TARGET_SEED else ORACLE for seed in seeds]
        ids = [self._identity(variant, n, "", {}, s, s) for n, s in zip(names, seeds, strict=True)]
        track, ground, target_id, oracle_ids = variant.track.name, variant.track.ground, ids[0], tuple(ids[1:])
        return [
            Cell(i, track, variant.task, variant.variant, n, n, {}, s, variant.oracles, ground, target_id, oracle_ids)
            for i, n, s in zip(ids, names, seeds, strict=True)
        ]

    def _cells(self, variant: Variant, suite: Suite, references: list[Cell], seeds: list[int] | None) -> Iterator[Cell]:
        for entry in suite.methods:
            if entry.tasks is not None and (variant.task, variant.variant) not in expand_tasks(entry.tasks):
                continue
            if entry.tracks is not None and variant.track.name not in entry.tracks:
                continue
            cls = method_named(entry.name)
            if variant.data.proxies and "training" in cls.sees:
                continue  # nothing can be trained again here
            method: Method = create(cls, entry.parameters)
            for seed in seeds or range(entry.seeds):
                source = source_hash(cls)
                cell_id = self._identity(variant, cls.name, source, method.parameters, seed, TARGET_SEED)
                yield replace(
                    references[0],
                    id=cell_id,
                    method=entry.name,
                    method_name=cls.name,
                    parameters=entry.parameters,
                    seed=seed,
                )

    def _jobs(self, variant: Variant, references: list[Cell], cells: list[Cell], force: bool) -> Iterator[Job]:
        """Jobs in the order in which they can run; what is there already is left out."""

        wanted = [cell for cell in cells if force or not cell.is_done(self.results)]
        unmeasured = [cell for cell in references if force or not cell.is_done(self.results)]
        if not wanted and not unmeasured:
            return
        seeds = [TARGET_SEED, *variant.oracle_seeds] if unmeasured else [TARGET_SEED]
        models = list(self._model_jobs(variant, seeds))
        yield from models
        ready = frozenset(job.id for job in models)
        if unmeasured:
            label = f"target and oracles · {variant.name}"
            measure = variant.job(f"references-{references[0].id}", "references", label, ready, cells=tuple(references))
            yield measure
            ready = frozenset({measure.id})
        for cell in wanted:
            yield variant.job(cell.id, "cell", cell.label, ready, cells=(cell,))

    def _model_jobs(self, variant: Variant, seeds: Iterable[int]) -> Iterator[Job]:
        """The shared base, then the models of these seeds, as far as they are not in the store."""
        base = models_of(variant.track, self.store).base_key
        needs: frozenset[str] = frozenset()
        if not self.store.has("models", base):
            needs = frozenset({base})
            yield variant.job(base, "base", f"shared base · {variant.track.name}", frozenset())
        for seed in seeds:
            for unseen, key in zip(variant.readings(seed), variant.model_keys(seed, self.store), strict=True):
                if key != base and not self.store.has("models", key):  # a pretrained target can be the base itself
                    label = _model_label(variant, seed, unseen)
                    yield variant.job(key, "model", label, needs, seed=seed, unseen=unseen)


def _as_wanted(track: PretrainedTrack, suite: Suite, published: tuple[str, ...]) -> PretrainedTrack:
    """The track with what a suite may set of it."""
    if suite.harness:
        group_tasks(suite.harness)
    precision, harness = suite.precision or track.precision, suite.harness or track.harness
    return replace(track, published=published, precision=precision, harness=harness)


def _published(suite: Suite, tracks: list[Track]) -> dict[tuple[str, str], tuple[str, ...]]:
    """The named models, target first, by (task, variant); BadInput where they are no models of the only track."""
    if suite.published and (len(tracks) > 1 or not isinstance(tracks[0], PretrainedTrack)):
        raise BadInput(f"suite {suite.name}: published models are those of one pretrained track")
    found = {}
    for name, models in suite.published.items():
        pairs = expand_tasks([name])
        if len(pairs) != 1:
            raise BadInput(f"suite {suite.name}: published: {name}: name one variant, as {variant_name(*pairs[0])}")
        found[pairs[0]] = (models.target, *models.oracles)
    return found


def _model_label(variant: Variant, seed: int, unseen: int) -> str:
    requests = len(variant.data.requests)
    name = "target" if seed == TARGET_SEED else f"oracle {seed}"
    after = f" after request {unseen}" if unseen and requests > 1 else ""
    return f"{name}{after} · {variant.name}"


def known_task_names() -> list[str]:
    """All task variants as they are written in suites."""
    return [variant_name(name, variant) for name, task in tasks().items() for variant in task.variants]


def require_finished(plan: Plan) -> None:
    """BadInput if cells of the plan have no record yet."""
    missing = [c for c in (*plan.references, *plan.cells) if c.id not in plan.cached]
    if missing:
        raise BadInput(f"suite {plan.suite.name}: {len(missing)} records are missing, first {missing[0].label}")
