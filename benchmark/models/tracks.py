"""Tracks: model families on which scores are comparable, with the settings that all their models
share.

Each track is a file in `benchmark/tracks`; files whose names begin with `_` exist to be extended by
others. Users describe their own models in a file of the same form.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, field, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    TypeAdapter,
    ValidationError,
)
from pydantic.dataclasses import dataclass

from benchmark.core.attack import Attack
from benchmark.core.hashing import fingerprint
from benchmark.core.method import Method, create
from benchmark.core.registry import attack_of, lookup, method_named
from benchmark.core.request import Budget
from benchmark.core.task import Task
from benchmark.core.updates import USUAL, Updates
from benchmark.core.yaml_files import refusal
from benchmark.errors import BadInput
from benchmark.models.track_files import chosen, extended, files, mapping, read, said_of
from benchmark.models.trials import Rates, Trials, has_rate
from benchmark.records.identity import DEVELOPMENT_SUFFIX, TUNED
from benchmark.tokens.profile import ComputeProfile

ANY_MODEL = "_pretrained"  # the file with the defaults for models without a track file
# Where a model is found; `--model` sets these for a user's own.
PLACE = ("repo", "revision", "package", "gguf", "probed")
SMALL_ENOUGH = 4_500_000  # weights: models of up to this size always run on CPU cores
_CHECKED = ConfigDict(extra="forbid", arbitrary_types_allowed=True)


def _trainable(budget: Budget) -> Budget:
    if min(budget.steps, budget.batch_size) < 1:
        raise ValueError("steps and batch_size should be at least 1")
    return budget


def _attack(entry: Any) -> Attack:
    if isinstance(entry, Attack):
        return entry
    if not isinstance(entry, Mapping):
        raise ValueError("an attack is its name with its parameters")
    try:
        return attack_of(entry)
    except BadInput as error:
        raise ValueError(str(error)) from None


def _told_apart(attacks: tuple[Attack, ...]) -> tuple[Attack, ...]:
    """The attacks; ValueError if one is listed twice, since its name identifies what is measured
    after it.
    """
    names = [attack.name for attack in attacks]
    if doubled := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"{doubled[0]} is listed twice; list it once")
    return attacks


def _tuned(given: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The parameters by method name, even where a method is given as `path/to/file.py:Class`."""
    try:
        return {create(method_named(m), settings).name: settings for m, settings in given.items()}
    except BadInput as error:
        raise ValueError(str(error)) from None


def _rate(rate: float | None) -> dict[str, float]:
    return {TUNED: rate} if rate else {}


Attacks = Annotated[
    tuple[Annotated[Attack, BeforeValidator(_attack)], ...], AfterValidator(_told_apart)
]
Parameters = Annotated[dict[str, dict[str, Any]], AfterValidator(_tuned)]


@dataclass(frozen=True, config=_CHECKED)
class Training:
    """One stage of training: full passes over its texts."""

    epochs: PositiveInt
    batch_size: PositiveInt
    learning_rate: PositiveFloat
    warmup: NonNegativeInt = 20


@dataclass(frozen=True, kw_only=True, config=_CHECKED)
class _Track:
    """The settings that all models of a track share; tracks named `...-dev` are never scored.

    `stage` is how the target and oracles are trained from the base, `budget` what a method may
    spend. `attacks` run in this order. `usual_rate` is the learning rate of methods that are not
    tuned, by default their own. `tuned` holds parameters of methods, which replace the methods'
    defaults unless others are given explicitly. `trials` is how methods are tuned, and `chosen` the
    learning rates that the trials selected, by method and task family. `profile` says how models
    are prompted and computed.
    """

    name: str
    description: str
    stage: Training
    budget: Annotated[Budget, AfterValidator(_trainable)]
    attacks: Attacks
    usual_rate: PositiveFloat | None = None
    tuned: Parameters = field(hash=False)
    profile: ComputeProfile
    trials: Trials | None = None
    chosen: Rates = field(default_factory=dict, hash=False)
    source: ClassVar[str]

    def on(self, task: type[Task]) -> Self:
        """The track with the profile fields that a task overrides."""
        return replace(self, profile=replace(self.profile, **task.asking)) if task.asking else self

    def parameters_of(
        self, method: type[Method], task: str, given: Mapping[str, Any]
    ) -> dict[str, Any]:
        """A method's parameters on a task: `given` ones take precedence over the chosen learning
        rate, that over the track's `tuned` ones, and these over its usual rate.
        """
        usual = self.usual_rate if has_rate(method) else None
        chosen = self.chosen_rate(method.name, task)
        return {**_rate(usual), **self.tuned.get(method.name, {}), **_rate(chosen), **given}

    def chosen_rate(self, method: str, task: str) -> float | None:
        """The learning rate that trials chose for a method on a task."""
        if not self.trials:
            return None
        return self.chosen.get(method, {}).get(self.trials.family_of(task))


@dataclass(frozen=True, kw_only=True, config=_CHECKED)
class ControlledTrack(_Track):
    """A small Llama trained from scratch on a generated world.

    `base` is the training of the shared base, which never sees a task's data; the `stage` that
    follows rereads `replay` base texts in every epoch.
    """

    world_seed: int
    vocabulary: PositiveInt
    hidden_size: PositiveInt
    layers: PositiveInt
    heads: PositiveInt
    intermediate_size: PositiveInt
    base: Training
    replay: NonNegativeInt
    precision: Literal["float32"]
    harness: Literal[""]
    updates: ClassVar[Updates] = USUAL
    source: ClassVar[str] = "world"

    @property
    def parameters(self) -> int:
        """Number of weights of its models, counting the tied embeddings once."""
        norms = 2 * self.hidden_size
        block = 4 * self.hidden_size**2 + 3 * self.hidden_size * self.intermediate_size + norms
        return self.vocabulary * self.hidden_size + self.layers * block + self.hidden_size

    @property
    def gains_from_gpus(self) -> bool:
        """Whether a GPU computes its models faster than a CPU core. Smaller models would leave a
        GPU idle, and a core gives the same digits everywhere.
        """
        return self.parameters > SMALL_ENOUGH

    @property
    def fingerprint(self) -> str:
        """Hash of what determines the models: architecture, world and training, but not what
        happens to them afterwards.
        """
        sizes = ("vocabulary", "hidden_size", "layers", "heads", "intermediate_size")
        made = {name: getattr(self, name) for name in ("world_seed", *sizes, "replay")}
        return fingerprint(made | {"base": asdict(self.base), "stage": asdict(self.stage)})


@dataclass(frozen=True, kw_only=True, config=_CHECKED)
class PretrainedTrack(_Track):
    """A causal language model that others trained, taken from the first of these places that has
    it.

    `path`: a local folder; `repo` at `revision`: a hub; `package` and its file `gguf`: an installed
    Python package. `stage` is how targets and oracles are fine-tuned from it on tasks with
    documents. `precision` is the compute precision of training. In bfloat16, the next step does not
    see an update below half a unit in a weight's last place, or sees a larger one if the weight
    lies between two units, as weights from quantised files do; at small learning rates, the steps
    therefore differ from those that the exact weights would take. `harness` is the group of general
    tasks for utility. `published` are models that others fine-tuned, named as for `--model`: the
    target and then the oracles, which are then not trained here. `probed` is the key of the weights
    whose knowledge probe applies to every source, `given` the folder or `org/name@revision` that a
    user made a track of. `updates` saves memory if a model is large.
    """

    repo: str = ""
    revision: str = ""
    package: str = ""
    gguf: str = ""
    path: Path | None = None
    precision: Literal["float32", "bfloat16"]
    harness: str
    updates: Updates = USUAL
    published: tuple[str, ...] = ()
    probed: str = ""
    given: str = ""
    source: ClassVar[str] = "model"
    gains_from_gpus: ClassVar[bool] = True

    @property
    def spec(self) -> str:
        """The name by which `--model` and `--track` refer to it."""
        return self.given or self.name

    @property
    def stated_prompts(self) -> list[str]:
        """The prompt form that a user states for a model, which is part of the key of anything made
        from its weights. Empty for the suite's own tracks, whose prompt form is fixed.
        """
        return [self.profile.prompts] if self.given and self.profile.prompts else []

    @property
    def stated_updates(self) -> dict[str, Any]:
        """The weight updates if they are not the default, part of the key of models trained with
        them.
        """
        return {} if self.updates == USUAL else {"updates": asdict(self.updates)}


Track = ControlledTrack | PretrainedTrack
KINDS: dict[str, type[Track]] = {"controlled": ControlledTrack, "pretrained": PretrainedTrack}


def track_named(name: str, file: Path | None = None) -> Track:
    """The track of that name, or of the model `org/name@revision` or in a local folder, which a
    user's `file` may describe further; BadInput otherwise.
    """
    return track_of_model(name, file) if is_model(name) else lookup("track", name, _tracks())


def is_model(name: str) -> bool:
    """Whether the name refers to a user's model rather than a track."""
    return name not in files() and ("/" in name or Path(name).is_dir())


def track_of_model(spec: str, file: Path | None = None) -> Track:
    """The track of any causal language model: a folder, or `org/name@revision` on a hub."""
    called, place = _model_at(spec)
    if file is None:
        origin, content = files()[ANY_MODEL], read(files()[ANY_MODEL])
    else:
        origin, content = file, _read_of_user(file)
    return _track(called | content | dict.fromkeys(PLACE, "") | place, origin)


def _model_at(spec: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Track fields of a model: its name and description, and its location."""
    folder = Path(spec).expanduser()
    if folder.is_dir():
        last_two = "/".join(folder.resolve().parts[-2:])  # `final` alone would not be unique
        called = {"name": track_name(last_two), "description": f"the model in {folder}"}
        return called, {"path": folder, "given": spec}
    repo, _, revision = spec.partition("@")
    if not revision:
        raise BadInput(
            f"model {spec!r}: neither a folder nor org/name@revision (a revision is a branch or "
            "a commit)"
        )
    name = repo if revision == "main" else f"{repo}--{revision}"
    called = {"name": track_name(name), "description": f"{repo} at {revision}"}
    return called, {"repo": repo, "revision": revision, "given": spec}


def track_name(model: str) -> str:
    """A track name for a user's model that is neither an existing track's nor a development
    track's.
    """
    name = folder_name(model)
    return f"{name}--model" if name.endswith(DEVELOPMENT_SUFFIX) or name in files() else name


def folder_name(name: str) -> str:
    """A model's name as the name of a folder of records."""
    return re.sub(r"[^a-z0-9._-]+", "--", name.lower()).strip("-.")


def all_tracks() -> list[Track]:
    return list(_tracks().values())


def tracks_with_files() -> frozenset[str]:
    """The names of the tracks of this installation."""
    return frozenset(name for name in files() if not name.startswith("_"))


@lru_cache(maxsize=1)
def _tracks() -> dict[str, Track]:
    named = {name: path for name, path in files().items() if not name.startswith("_")}
    return {name: _track(read(path) | chosen(name), path) for name, path in named.items()}


def _read_of_user(file: Path) -> dict[str, Any]:
    """The content of a user's file, which describes a model but not its location; fields that it
    leaves out take the defaults for any model.
    """
    given = mapping(file)
    if stated := [key for key in PLACE if key in given]:
        raise BadInput(f"{file}: {stated[0]}: is set by --model; remove it")
    content = extended(given, ANY_MODEL, file)
    if content.get("kind") != "pretrained":
        raise BadInput(f"{file}: kind: found {content.get('kind')!r}; must be pretrained")
    name = content.get("name", "mine")
    if not name or name != folder_name(str(name)) or name in files():
        raise BadInput(
            f"{file}: name: found {name!r}; use a-z, 0-9, ., _ and -, and no existing track's name"
        )
    return content


def _track(content: dict[str, Any], path: Path) -> Track:
    """The track that a file describes; BadInput names the file, the field, what was found and what
    would be right.
    """
    fields_of = dict(content)
    with said_of(f"{path}: kind"):
        cls = lookup("kind", str(fields_of.pop("kind", None)), KINDS)
    with said_of(str(path)):
        for key in fields_of:
            lookup("field", str(key), {known.name: known for known in fields(cls)})
    try:
        return TypeAdapter(cls).validate_python(fields_of)
    except ValidationError as error:
        raise refusal(path, error) from None
