"""Planning: turns a suite into cells with their ids and the jobs that produce them. Nothing is run
here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from benchmark.core.inputs import Inputs
from benchmark.core.method import create
from benchmark.core.registry import lookup, method_named, task_named
from benchmark.data.knowledge import NotProbed
from benchmark.errors import BadInput
from benchmark.evaluation.lm_eval_adapter import group_tasks
from benchmark.inference.vllm_engine import usual_backend
from benchmark.metrics.stages import HARNESS
from benchmark.models import models_of
from benchmark.models.artifacts import ArtifactStore
from benchmark.models.tracks import PretrainedTrack, Track, track_named
from benchmark.pipeline.plan import Cell, Job, Plan
from benchmark.pipeline.selection import expand_tasks
from benchmark.pipeline.suite import MethodEntry, Suite
from benchmark.pipeline.variant import TARGET_SEED, Variant
from benchmark.pipeline.write_record import method_info, reference_info
from benchmark.records.identity import ORACLE, TARGET, TUNED, variant_name
from benchmark.records.store import ResultStore


class Planner:
    """Makes plans. It reads the artifact store and the results only to see what exists, is
    complete, or failed.
    """

    def __init__(self, inputs: Inputs, results: ResultStore) -> None:
        self.inputs, self.results = inputs, results
        self.store = ArtifactStore(inputs.home, inputs.store)

    def plan(self, suite: Suite, seeds: list[int] | None = None, force: bool = False) -> Plan:
        """The plan of a suite; `seeds` replaces the seeds of every method, `force` ignores
        existing records.
        """
        cells: list[Cell] = []
        references: list[Cell] = []
        jobs: list[Job] = []
        missing: list[str] = []
        sizes: list[str] = []
        untuned: list[str] = []
        unprobed: list[tuple[str, str]] = []
        for variant in self._variants(suite):
            if lack := self._lack(variant, unprobed):
                missing.append(f"{variant.track.name} · {variant.name}: {lack}")
                continue
            own_references = self._references(variant, suite, seeds)
            own_cells = list(self._cells(variant, suite, own_references, seeds))
            sizes.append(variant.size)
            untuned += _untuned(variant, own_cells)
            references += own_references
            cells += own_cells
            jobs += self._jobs(variant, own_references, own_cells, force)
        present = frozenset(c.id for c in (*cells, *references) if c.is_done(self.results))
        cached = frozenset() if force else present
        unique = {job.id: job for job in jobs}
        done = (tuple(cells), tuple(references), cached, tuple(unique.values()))
        said = (tuple(missing), tuple(sizes), tuple(untuned))
        return Plan(suite, *done, *said, unprobed=tuple(dict.fromkeys(unprobed)))

    def _lack(self, variant: Variant, unprobed: list[tuple[str, str]]) -> str:
        """The reason that a variant cannot run here, e.g. a missing model, data set or knowledge
        probe; empty if it can. Missing probes are added to `unprobed`.
        """
        try:
            variant.model_keys(TARGET, TARGET_SEED)
            for seed in variant.oracle_seeds:
                variant.model_keys(ORACLE, seed)
        except BadInput as error:
            if isinstance(error, NotProbed):
                unprobed.append((error.task, error.track))
            return str(error)
        data, proxies = variant.data, len(variant.data.proxies)
        if variant.has_published_models and (not data.documents or len(data.requests) > 1):
            return (
                "published models replace models fine-tuned for a single request, which this "
                "variant does not have"
            )
        if 0 < proxies < variant.oracles:
            return f"it has {proxies} proxy references, the suite needs {variant.oracles}"
        return ""

    def _variants(self, suite: Suite) -> Iterator[Variant]:
        """Yields every variant on the tracks that have the source for it; BadInput if there is
        none.
        """
        tracks = [
            _attacked(track_named(name, self.inputs.track_file), suite, name)
            for name in suite.tracks
        ]
        wanted = expand_tasks(suite.tasks)
        for name in (name for entry in suite.methods for name in entry.tracks or ()):
            track_named(name, self.inputs.track_file)
        chosen = {
            track_named(name, self.inputs.track_file).name: expand_tasks(only)
            for name, only in suite.only.items()
        }
        if doubled := [
            name for name, times in Counter(track.name for track in tracks).items() if times > 1
        ]:
            raise BadInput(
                f"suite {suite.name}: two of its models have the name {doubled[0]}; rename a folder"
            )
        published = _published(suite, tracks)
        pairs = [
            (track, *names)
            for track in tracks
            for names in wanted
            if track.source in task_named(names[0]).sources
            and names in chosen.get(track.name, wanted)
        ]
        if not pairs:
            sources = {name: " or ".join(sorted(task_named(name).sources)) for name, _ in wanted}
            needs = ", ".join(f"{name} needs a {source}" for name, source in sources.items())
            raise BadInput(
                f"suite {suite.name}: none of its tracks ({', '.join(suite.tracks)}) has the "
                f"source for its tasks: {needs}"
            )
        for track, task, variant in pairs:
            models = published.get((task, variant), ())
            if isinstance(track, PretrainedTrack):
                track = _as_wanted(track, suite, models)
            backend = suite.backend or usual_backend(isinstance(track, PretrainedTrack))
            asked = track.on(task_named(task))
            yield Variant(asked, task, variant, suite.oracles, self.inputs, backend)

    def _references(self, variant: Variant, suite: Suite, seeds: list[int] | None) -> list[Cell]:
        """The cells of the targets, starting with the first target, and then of the oracles."""
        runs = [(e.name, s) for e in _entries(variant, suite) for s in seeds or range(e.seeds)]
        targets = {TARGET_SEED, *(variant.target_seed(name, seed) for name, seed in runs)}
        cells = [
            Cell(
                variant.identity(reference_info(name), seed),
                name,
                {},
                variant.evaluation,
                variant.recipes,
                variant.track.source,
            )
            for name, seed in [
                *((TARGET, seed) for seed in sorted(targets)),
                *((ORACLE, seed) for seed in variant.oracle_seeds),
            ]
        ]
        oracle_ids = tuple(c.id for c in cells if c.method_name == ORACLE)
        return [
            replace(
                cell,
                target_id=cell.id if cell.method_name == TARGET else cells[0].id,
                oracle_ids=oracle_ids,
            )
            for cell in cells
        ]

    def _cells(
        self, variant: Variant, suite: Suite, references: list[Cell], seeds: list[int] | None
    ) -> Iterator[Cell]:
        targets = {c.seed: c for c in references if c.method_name == TARGET}
        for entry in _entries(variant, suite):
            cls = method_named(entry.name)
            if variant.data.proxies and cls.sees & {"training", "frequency"}:
                continue  # the training data of such a model are unknown
            parameters = variant.track.parameters_of(cls, variant.task, entry.parameters)
            method = method_info(cls, create(cls, parameters).parameters)
            for seed in seeds or range(entry.seeds):
                cell = replace(
                    targets[variant.target_seed(method.name, seed)],
                    identity=variant.identity(method, seed),
                    method=entry.name,
                    parameters=parameters,
                )
                asked = {s: r for s, r in cell.recipes.items() if s != HARNESS}
                yield replace(cell, recipes=asked) if cell.judges_metrics else cell

    def _jobs(
        self, variant: Variant, references: list[Cell], cells: list[Cell], force: bool
    ) -> Iterator[Job]:
        """Yields jobs in an order in which they can run, without those whose outcome exists
        already.
        """

        wanted = [cell for cell in cells if force or not cell.is_done(self.results)]
        unmeasured = [cell for cell in references if force or not cell.is_done(self.results)]
        if not wanted and not unmeasured:
            return
        on_models = [
            cell for cell in (*unmeasured, *wanted) if force or cell.measured(self.results) is None
        ]
        models = list(self._model_jobs(variant, [_model_of(c, variant) for c in on_models]))
        yield from models
        ready = frozenset(job.id for job in models)
        if unmeasured:
            measured = [cell for cell in references if cell in on_models]
            *measuring, written = self._reference_jobs(variant, references, measured, models)
            yield from (*measuring, written)
            ready = frozenset({written.id})
        for cell in wanted:
            lacking = () if force else cell.lacking(self.results)
            job = Job(cell.id, "cell", cell.label, ready, variant, (cell,), lacking=lacking)
            yield replace(job, measured=cell not in on_models)

    @staticmethod
    def _reference_jobs(
        variant: Variant, references: list[Cell], measured: list[Cell], models: list[Job]
    ) -> Iterator[Job]:
        """Yields one job for each reference to be measured, which can start as soon as its models
        exist, then the job that compares all references and writes their records.
        """
        target = f"reference-{references[0].id}"
        ids = [f"reference-{cell.id}" for cell in measured]
        for job_id, cell in zip(ids, measured, strict=True):
            own = variant.model_keys(cell.method_name, cell.seed)
            needs = {job.id for job in models if job.kind == "base" or job.id in own}
            if variant.data.proxies and job_id != target:
                needs |= {target}  # a proxy reference takes over most of the target's samples
            label = f"outputs of {_model_label(variant, cell.method_name, cell.seed, 0)}"
            yield Job(job_id, "reference", label, frozenset(needs), variant, cells=(cell,))
        label = f"records of targets and oracles · {variant.name}"
        cells = tuple(references)
        yield Job(
            f"references-{cells[0].id}", "references", label, frozenset(ids), variant, cells=cells
        )

    def _model_jobs(self, variant: Variant, wanted: Sequence[tuple[str, int]]) -> Iterator[Job]:
        """Yields jobs for the shared base and then for the models of these references, given as
        (role, seed), unless they are in the store; none without references.
        """
        if not wanted:
            return
        base = models_of(variant.track, self.inputs).base_key
        needs: frozenset[str] = frozenset()
        if not self.store.has("models", base):
            needs = frozenset({base})
            yield Job(base, "base", f"shared base · {variant.track.name}", frozenset(), variant)
        for role, seed in sorted(set(wanted), key=lambda model: (model[0] != TARGET, model[1])):
            keys = variant.model_keys(role, seed)
            for unseen, key in zip(variant.readings(role), keys, strict=True):
                if key != base and not self.store.has(
                    "models", key
                ):  # a pretrained target can be the base itself
                    label = _model_label(variant, role, seed, unseen)
                    yield Job(key, "model", label, needs, variant, seed=seed, unseen=unseen)


def _attacked(track: Track, suite: Suite, spec: str) -> Track:
    """The track with the attacks that the suite names, in the track's order; `spec` is the suite's
    name for it.
    """
    named = suite.attacks_on(spec)
    if named is None:
        return track
    declared = {attack.name: attack for attack in track.attacks}
    for name in named:
        lookup(f"attack of the track {track.name}", name, declared)
    chosen = tuple(attack for name, attack in declared.items() if name in named)
    return replace(track, attacks=chosen)


def _as_wanted(track: PretrainedTrack, suite: Suite, published: tuple[str, ...]) -> PretrainedTrack:
    """The track with the precision, harness and published models that the suite sets."""
    precision, harness = suite.precision or track.precision, suite.harness or track.harness
    if harness:
        group_tasks(harness)
    return replace(track, published=published, precision=precision, harness=harness)


def _published(suite: Suite, tracks: list[Track]) -> dict[tuple[str, str], tuple[str, ...]]:
    """The published models, target first, by (task, variant). BadInput unless a suite that has any
    has exactly one track, a pretrained one, and names single variants.
    """
    if suite.published and (len(tracks) > 1 or not isinstance(tracks[0], PretrainedTrack)):
        raise BadInput(f"suite {suite.name}: published models need exactly one pretrained track")
    published = {}
    for name, models in suite.published.items():
        pairs = expand_tasks([name])
        if len(pairs) != 1:
            raise BadInput(
                f"suite {suite.name}: published: {name}: name one variant, e.g. "
                f"{variant_name(*pairs[0])}"
            )
        published[pairs[0]] = (models.target, *models.oracles)
    return published


def _untuned(variant: Variant, cells: Sequence[Cell]) -> list[str]:
    """At most one line: the variant's methods that run at the track's usual learning rate or, if
    the track declares trials, at their default one.
    """
    track, task = variant.track, variant.task
    if not (track.trials or track.usual_rate):
        return []
    methods = {c.identity.method.name: c.identity.method for c in cells if _is_usual(track, c)}
    untuned = [
        name
        for name, method in methods.items()
        if TUNED in method.parameters and not method.anchor and not track.chosen_rate(name, task)
    ]
    if not untuned:
        return []
    family = f" for {track.trials.family_of(task)}" if track.trials else ""
    rate = f"learning rate {track.usual_rate:g}" if track.usual_rate else "default learning rate"
    return [
        f"{track.name} · {variant.name}: not tuned{family}, runs at the {rate}: "
        f"{', '.join(untuned)}"
    ]


def _is_usual(track: Track, cell: Cell) -> bool:
    return bool(cell.parameters.get(TUNED, track.usual_rate) == track.usual_rate)


def _entries(variant: Variant, suite: Suite) -> Iterator[MethodEntry]:
    """Yields the suite's methods that run on a variant."""
    for entry in suite.methods:
        tasks = None if entry.tasks is None else expand_tasks(entry.tasks)
        if tasks is not None and (variant.task, variant.variant) not in tasks:
            continue
        file = variant.inputs.track_file
        if entry.tracks is None or variant.track.name in {
            track_named(name, file).name for name in entry.tracks
        }:
            yield entry


def _model_of(cell: Cell, variant: Variant) -> tuple[str, int]:
    """(role, seed) of a reference's own model, or of the target that a method starts from."""
    if cell.identity.is_reference:
        return cell.method_name, cell.seed
    return TARGET, variant.target_seed(cell.method_name, cell.seed)


def _model_label(variant: Variant, role: str, seed: int, unseen: int) -> str:
    requests = len(variant.data.requests)
    name = f"{role} {seed}" if seed or role == ORACLE else role
    after = f" after request {unseen}" if unseen and requests > 1 else ""
    return f"{name}{after} · {variant.name}"
