"""Pretrained models: finds them, and fine-tunes targets and oracles from them."""

from __future__ import annotations

import hashlib
import importlib.util
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any

import torch
import transformers  # loads its classes lazily: planning needs none of them

from benchmark.core.hashing import fingerprint
from benchmark.core.inputs import MODELS_VARIABLE, Inputs
from benchmark.core.request import Meter
from benchmark.core.task_data import Document
from benchmark.core.updates import Updates
from benchmark.data.knowledge import PretrainedModel
from benchmark.errors import BadInput
from benchmark.models.artifacts import ArtifactStore
from benchmark.models.checks import check_template, fit
from benchmark.models.controlled import answer_nll_mean, batches_of, read_of, reading, save
from benchmark.models.loading import load_config, load_model, load_tokenizer
from benchmark.models.memory import Load, Shape, is_crowded, shape_of
from benchmark.models.placement import computing_for
from benchmark.models.tracks import PretrainedTrack, Training, track_named
from benchmark.records.identity import DEVELOPMENT_SUFFIX
from benchmark.runtime.hub import SECONDS, hub_answers
from benchmark.tokens.batches import collate, parts_of
from benchmark.tokens.profile import ComputeProfile, with_profile
from benchmark.training.group import together
from benchmark.training.loop import Schedule, train
from benchmark.training.sharding import is_first

FETCHING_VERSION, TUNING_VERSION = 1, 2  # raise one when models are converted or tuned differently
LENGTH = 128  # tokens of a typical sequence (question and answer)
FILES = ["*.safetensors", "*.json", "*.jinja", "tokenizer*", "*.model", "*.txt"]


@dataclass(frozen=True)
class Source:
    """Where a model was found: `kind` is "path", "hub" or "package"; `key` changes with the model's
    files.
    """

    kind: str
    where: str
    key: str


@lru_cache(maxsize=32)
def source_of(track: PretrainedTrack, models: Path | None) -> Source:
    """The first of a local folder, the hub and an installed package that has the model; BadInput
    says what is missing.

    `models` is a folder that holds models under the last part of their names.
    """
    folder = _local_folder(track, models)
    if folder is not None:
        return Source("path", folder.name, _hash_of_files(folder))
    commit, refusal = _hub_commit(track.repo, track.revision) if track.repo else ("", "")
    if commit:
        return Source("hub", f"{track.repo}@{commit}", fingerprint([track.repo, commit]))
    packaged = _packaged_file(track)
    if packaged is not None:
        return Source("package", f"{track.package}/{track.gguf}", _sha256(packaged)[:16])
    package = (
        f"; the package {track.package.replace('_', '-')} is not installed (`make venv`)"
        * bool(track.package)
    )
    raise BadInput(
        f"model {track.name}: no folder {Path(track.repo).name} in ${MODELS_VARIABLE}; "
        f"{track.repo}@{track.revision[:12]} is not in the hub's cache and {refusal}{package}"
    )


def _local_folder(track: PretrainedTrack, models: Path | None) -> Path | None:
    if track.path is not None:
        return _checked_folder(track.path)
    folder = models / Path(track.repo).name if models else None
    return _checked_folder(folder) if folder is not None and folder.is_dir() else None


def _checked_folder(folder: Path) -> Path:
    if (folder / "adapter_config.json").is_file() and not (folder / "config.json").is_file():
        raise BadInput(f"model {folder}: found only an adapter; merge it into its base model first")
    if not (folder / "config.json").is_file():
        raise BadInput(f"model {folder}: the folder lacks a config.json")
    if not list(folder.glob("*.safetensors")):
        raise BadInput(
            f"model {folder}: the folder lacks safetensors; pickled weights are never loaded"
        )
    return folder


def _hash_of_files(folder: Path) -> str:
    """Hash of all files that may be read from a model's folder: the chat template and the tokenizer
    change its answers just as the weights do.
    """
    return fingerprint([(path.name, _sha256(path)) for path in _model_files(folder)])


def _model_files(folder: Path) -> list[Path]:
    names = (
        path for path in sorted(folder.iterdir()) if path.is_file() and path.name != "made.json"
    )
    return [path for path in names if any(path.match(pattern) for pattern in FILES)]


@lru_cache(maxsize=32)
def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=32)
def _hub_commit(repo: str, revision: str) -> tuple[str, str]:
    """(commit, "") of a revision that is cached or can be fetched; otherwise ("", the reason)."""
    from huggingface_hub import HfApi, try_to_load_from_cache

    try:
        cached = try_to_load_from_cache(repo, "config.json", revision=revision)
        if isinstance(cached, str) and list(Path(cached).parent.glob("*.safetensors")):
            return Path(cached).parent.name, ""
        if not hub_answers():
            return "", "no hub can be reached"
        return HfApi().model_info(
            repo, revision=revision, timeout=SECONDS
        ).sha or "", "the hub names no commit"
    except Exception as error:  # no such repository, no permission, ...: try the next source
        return "", f"the hub says {type(error).__name__}"


def _packaged_file(track: PretrainedTrack) -> Path | None:
    """The GGUF file in the package's folder, located without importing the package."""
    spec = importlib.util.find_spec(track.package) if track.package else None
    file = Path(spec.origin).parent / track.gguf if spec is not None and spec.origin else None
    return file if file is not None and file.is_file() else None


class PretrainedModels:
    """Finds, converts and fine-tunes a track's models; every key is a hash of what the model was
    made from.
    """

    def __init__(self, track: PretrainedTrack, inputs: Inputs) -> None:
        self.track, self.inputs = track, inputs
        self.store = ArtifactStore(inputs.home, inputs.store)

    @cached_property
    def source(self) -> Source:
        return source_of(self.track, self.inputs.models)

    @property
    def data_source(self) -> PretrainedModel:
        """The model that tasks build their data from."""
        development, stated = (
            self.track.name.endswith(DEVELOPMENT_SUFFIX),
            self.track.stated_prompts,
        )
        model = fingerprint([self.base_key, *stated]) if stated else self.base_key
        return PretrainedModel(self.track.spec, model, development, self.inputs, self.track.probed)

    @cached_property
    def profile(self) -> ComputeProfile:
        """The track's profile; if it leaves the prompt form open, the original model's tokenizer
        settles it.
        """
        profile = self.track.profile
        if profile.prompts:
            return profile
        return profile.settled(load_tokenizer(self.base(), self.track.spec))

    @property
    def base_key(self) -> str:
        return fingerprint(["pretrained", FETCHING_VERSION, self.source.kind, self.source.key])

    def trained_key(
        self,
        documents: Sequence[Document],
        seed: int,
        stage: Training | None = None,
        start: Path | None = None,
    ) -> str:
        """Key of the model fine-tuned on these documents from the original model or from the model
        `start`; without documents, key of the original model.
        """
        if not documents:
            return self.base_key
        if published := self._published(seed):
            return published.base_key
        texts = [(d.prompt, d.answer, d.reads) for d in documents]
        recipe = [vars(stage or self.track.stage), self.track.precision, *self.track.stated_prompts]
        recipe += self.track.stated_updates.values()
        after = [] if start is None else [start.name]
        return fingerprint(["tuned", TUNING_VERSION, self.base_key, recipe, texts, seed, *after])

    def config(self) -> Any:
        """The configuration of the track's models; None if it comes with the weights and these have
        not been fetched yet.
        """
        base = self.store.path("models", self.base_key)
        if base.is_dir():
            return load_config(base, self.track.spec)
        if self.source.kind == "path":
            return load_config(_local_folder(self.track, self.inputs.models), self.track.spec)
        if self.source.kind == "hub":
            repo, _, commit = self.source.where.rpartition("@")
            return load_config(repo, self.track.spec, commit)
        return None

    def base(self) -> Path:
        """Folder of the original model, before any fine-tuning."""
        return self.store.get("models", self.base_key, self._fetch)

    def _fetch(self, folder: Path) -> dict:
        started = time.perf_counter()
        if self.source.kind == "package":
            _convert(_packaged_file(self.track), folder)
        else:
            for path in _files(self.track, self.source, self.inputs.models):
                (folder / path.name).symlink_to(path.resolve())
        seconds = round(time.perf_counter() - started, 2)
        made = f"pretrained by others, from {self.source.kind}: {self.source.where}"
        return {
            "made": made,
            "source": self.source.kind,
            "steps": 0,
            "tokens": 0,
            "seconds": seconds,
        }

    def trained(
        self,
        documents: Sequence[Document],
        seed: int,
        stage: Training | None = None,
        start: Path | None = None,
    ) -> Path:
        """Folder of the model fine-tuned on `documents` from the original model or from the model
        `start`, in the track's training stage or in another one.
        """
        if not documents:
            return self.base()
        if published := self._published(seed):
            return published.base()
        return self.store.get(
            "models",
            self.trained_key(documents, seed, stage, start),
            lambda folder: self._tune(folder, documents, seed, stage or self.track.stage, start),
        )

    def _published(self, seed: int) -> PretrainedModels | None:
        """The published fine-tuned model that serves as the reference of this seed, if the track
        names one.
        """
        if seed >= len(self.track.published):
            return None
        return models_named(self.track.published[seed], self.inputs)

    def _tune(
        self,
        folder: Path,
        documents: Sequence[Document],
        seed: int,
        stage: Training,
        start: Path | None,
    ) -> dict:
        start, started = start or self.base(), time.perf_counter()
        # Several processes run apart from this one, so that none waits for the store's lock.
        steps, tokens = together(
            self.track.updates.processes, self._tune_from, start, folder, documents, seed, stage
        )
        seconds = round(time.perf_counter() - started, 2)
        source = f"{self.source.kind}: {self.source.where}"
        made = f"pretrained model {self.base_key} from {source}, fine-tuned on the task's documents"
        return {
            "made": made,
            "base": self.base_key,
            "seed": seed,
            **read_of(documents, stage),
            "steps": steps,
            "tokens": tokens,
            "seconds": seconds,
        }

    def _tune_from(
        self,
        start: Path,
        folder: Path,
        documents: Sequence[Document],
        seed: int,
        stage: Training,
    ) -> tuple[int, int]:
        """Fine-tunes the model in `start` and saves it in `folder`; returns (steps, tokens)."""
        model, tokenizer = self.load(start)
        meter = Meter()
        batches = batches_of(reading(documents, stage.epochs, seed), [], 0, stage.batch_size, seed)
        sequences = (collate([d.pair for d in batch], tokenizer, model) for batch in batches)
        schedule = Schedule(len(batches), stage.learning_rate, warmup=stage.warmup)
        with computing_for(self.track, model):
            train(
                model,
                sequences,
                lambda b: answer_nll_mean(model, b),
                schedule,
                meter,
                tokens_of=lambda b: b.tokens,
                parts=partial(parts_of, tokenizer=tokenizer, model=model),
            )
        if is_first():
            save(model, tokenizer, folder)
        return meter.steps, meter.tokens

    def load(self, folder: Path) -> tuple[Any, Any]:
        """(model in evaluation mode, tokenizer fitted to it) from an artifact's folder."""
        model, tokenizer = self.load_model(folder), load_tokenizer(folder, self.track.spec)
        check_template(tokenizer, self.profile, self.track.spec)
        fit(with_profile(tokenizer, self.profile), model, self.track.spec)
        return model, tokenizer

    def load_model(self, folder: Path) -> Any:
        dtype = getattr(torch, self.track.updates.weights)
        model = load_model(folder, accelerated=True, name=self.track.spec, dtype=dtype)
        if recomputes(self.track, self.track.updates, shape_of(model)):
            model.gradient_checkpointing_enable()
        return model


def recomputes(track: PretrainedTrack, updates: Updates, shape: Shape) -> bool:
    """Whether training recomputes activations in the backward pass, because those of a typical
    batch would take too much memory.
    """
    batch = max(2 * track.budget.batch_size, track.stage.batch_size)
    return is_crowded(shape, Load(-(-batch // updates.parts), LENGTH))


def models_named(spec: str, inputs: Inputs) -> PretrainedModels:
    """The models of a track, a folder or `org/name@revision`; BadInput for models that the
    benchmark trains from scratch.
    """
    track = track_named(spec, inputs.track_file)
    if not isinstance(track, PretrainedTrack):
        raise BadInput(
            f"model {spec!r} is trained by the benchmark itself and scored by `run`; pass "
            "a folder or org/name@revision"
        )
    return PretrainedModels(track, inputs)


def _files(track: PretrainedTrack, source: Source, models: Path | None) -> list[Path]:
    """The files of a model from a local folder or the hub."""
    if source.kind == "path":
        folder = _local_folder(track, models)
        assert folder is not None
    else:
        from huggingface_hub import snapshot_download

        repo, _, commit = source.where.rpartition("@")
        folder = _checked_folder(
            Path(snapshot_download(repo, revision=commit, allow_patterns=FILES))
        )
    return _model_files(folder)


def _convert(file: Path | None, folder: Path) -> None:
    """Converts a GGUF file to a safetensors model, with quantised weights as float32."""
    assert file is not None
    quantised = transformers.AutoModelForCausalLM.from_pretrained(
        file.parent, gguf_file=file.name, dtype=torch.float32
    )
    config = quantised.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    model = type(quantised)(config)
    model.load_state_dict(quantised.state_dict())
    save(
        model, transformers.AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name), folder
    )
