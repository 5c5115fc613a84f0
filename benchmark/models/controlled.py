"""Builds and caches the controlled track's models: tokenizer, shared base, target and oracles.

Oracles are exact: the base is trained only on people and facts that no task asks to forget, and an
oracle is trained from it like the target, on the target's documents without those of the forget
set.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
import transformers  # loads its classes lazily: planning needs none of them
from tokenizers import Tokenizer, decoders, pre_tokenizers, trainers
from tokenizers import models as token_models

from benchmark.core.hashing import fingerprint
from benchmark.core.request import Meter
from benchmark.core.task_data import Document
from benchmark.data.world import World, base_corpus
from benchmark.models.artifacts import ArtifactStore
from benchmark.models.loading import load_model
from benchmark.models.placement import accelerators, computing_for, seeded
from benchmark.models.tracks import ControlledTrack, Training
from benchmark.tokens.batches import Batch, collate
from benchmark.tokens.losses import answer_nll
from benchmark.tokens.profile import with_profile
from benchmark.training.loop import Schedule, train

RECIPE_VERSION = 1  # raise it when this file trains models differently
# characters: a batch has at most `size` documents, and fewer if their mean length exceeds this
LONG = 80
# Batches are cut from pools of this many batches' worth of texts, sorted by length to pad less.
LENGTH_POOL = 8


@lru_cache(maxsize=4)
def world_of(seed: int) -> World:
    return World(seed)


def train_tokenizer(world: World, vocabulary: int) -> transformers.PreTrainedTokenizerFast:
    """Byte-level BPE trained on the base corpus and on every person's name, six times each, so that
    it does not depend on the forget set.
    """
    lines = [f"{d.prompt} {d.answer}" for d in base_corpus(world)]
    lines += [f" {person.name}" for person in world.everybody for _ in range(6)]
    tokenizer = Tokenizer(token_models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = ["<pad>", "<end>"]
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=special,
        initial_alphabet=alphabet,
        show_progress=False,
    )
    tokenizer.train_from_iterator(lines, trainer)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<end>"
    )


def new_model(track: ControlledTrack, tokenizer, seed: int) -> transformers.LlamaForCausalLM:
    """A freshly initialised model of the track's architecture, determined by the seed."""
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=track.hidden_size,
        num_hidden_layers=track.layers,
        intermediate_size=track.intermediate_size,
        num_attention_heads=track.heads,
        num_key_value_heads=track.heads,
        max_position_embeddings=128,
        tie_word_embeddings=True,
        initializer_range=0.05,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with seeded(seed):
        return transformers.LlamaForCausalLM(config)


def reading(documents: Sequence[Document], epochs: int, seed: int) -> list[list[Document]]:
    """The documents of each epoch: a document is read once per epoch, or `reads` times in total,
    spread over the epochs, if it sets `reads`.
    """
    rng = random.Random(f"reads-{seed}")
    plan: list[list[Document]] = [[d for d in documents if d.reads is None] for _ in range(epochs)]
    for document in (d for d in documents if d.reads is not None):
        each, rest = divmod(document.reads or 0, epochs)
        extra = set(rng.sample(range(epochs), rest))
        for epoch, texts in enumerate(plan):
            texts += [document] * (each + (epoch in extra))
    return plan


def batches_of(
    plan: Sequence[Sequence[Document]],
    replay: Sequence[Document],
    replayed: int,
    size: int,
    seed: int,
) -> list[list[Document]]:
    """Shuffled batches of all epochs; each epoch adds `replayed` texts drawn from `replay`."""
    rng = random.Random(f"epochs-{seed}")
    batches = []
    for documents in plan:
        texts = [*documents, *rng.sample(list(replay), replayed)]
        rng.shuffle(texts)
        epoch = []
        for start in range(0, len(texts), size * LENGTH_POOL):
            pool = sorted(texts[start : start + size * LENGTH_POOL], key=_length)
            epoch += _cut(pool, size)
        rng.shuffle(epoch)
        batches += epoch
    return batches


def _length(document: Document) -> int:
    """Length by which documents are batched: characters of the prompt, or of the answer if there is
    no prompt.
    """
    return len(document.prompt or document.answer)


def _cut(pool: Sequence[Document], size: int) -> list[list[Document]]:
    """Batches of `size` consecutive documents, or fewer if they are long."""
    batches: list[list[Document]] = []
    room = size * LONG
    for document in pool:
        if (
            not batches
            or len(batches[-1]) == size
            or sum(map(_length, batches[-1])) + _length(document) > room
        ):
            batches.append([])
        batches[-1].append(document)
    return batches


def _train(
    model,
    tokenizer,
    documents: Sequence[Document],
    replay: Sequence[Document],
    replayed: int,
    stage: Training,
    seed: int,
) -> dict:
    """Trains the model in place; returns what it read and what the training cost."""
    meter, started = Meter(), time.perf_counter()
    batches = batches_of(
        reading(documents, stage.epochs, seed), replay, replayed, stage.batch_size, seed
    )
    sequences = (collate([d.pair for d in batch], tokenizer, model) for batch in batches)
    schedule = Schedule(len(batches), stage.learning_rate, warmup=stage.warmup)
    train(
        model,
        sequences,
        lambda b: answer_nll_mean(model, b),
        schedule,
        meter,
        tokens_of=lambda b: b.tokens,
    )
    seconds = round(time.perf_counter() - started, 2)
    return {
        **read_of(documents, stage),
        "steps": meter.steps,
        "tokens": meter.tokens,
        "seconds": seconds,
    }


def answer_nll_mean(model, batch: Batch) -> torch.Tensor:
    """Mean negative log-likelihood of all answer tokens in the batch: the training loss."""
    return answer_nll(model, batch).sum() / len(batch.targets)


def read_of(documents: Sequence[Document], stage: Training) -> dict:
    """What training read: the number of texts, the epochs, and how many examples appear in how many
    texts.

    In the last of these, a document that sets `reads` counts as that many texts.
    """
    texts_of = Counter[str]()
    for document in documents:
        texts_of[document.example] += document.reads or 1
    examples_by_texts = {
        str(texts): examples for texts, examples in sorted(Counter(texts_of.values()).items())
    }
    return {"texts": len(documents), "epochs": stage.epochs, "examples_by_texts": examples_by_texts}


def save(model, tokenizer, folder: Path) -> None:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


class ControlledModels:
    """Builds and caches a track's models; every key is a hash of what the model was made from."""

    def __init__(self, track: ControlledTrack, store: ArtifactStore) -> None:
        self.track, self.store = track, store

    @property
    def data_source(self) -> World:
        """The world that tasks build their data from."""
        return world_of(self.track.world_seed)

    @property
    def base_key(self) -> str:
        return fingerprint(["base", RECIPE_VERSION, self.track.fingerprint])

    def trained_key(
        self,
        documents: Sequence[Document],
        seed: int,
        stage: Training | None = None,
        start: Path | None = None,
    ) -> str:
        """Key of the model trained on these documents from the base or from the model `start`, in
        the track's training stage or in another one.
        """
        texts = [
            (d.prompt, d.answer) if d.reads is None else (d.prompt, d.answer, d.reads)
            for d in documents
        ]
        own = [] if stage in (None, self.track.stage) else [vars(stage)]
        after = [] if start is None else [start.name]
        return fingerprint(["stage", RECIPE_VERSION, self.base_key, texts, seed, *own, *after])

    def base(self) -> Path:
        """Folder of the shared base, which never saw any task's data."""
        return self.store.get("models", self.base_key, self._build_base)

    def _build_base(self, folder: Path) -> dict:
        tokenizer = with_profile(
            train_tokenizer(self.data_source, self.track.vocabulary), self.track.profile
        )
        model: Any = new_model(self.track, tokenizer, seed=0)
        if self.track.gains_from_gpus and accelerators():
            model = model.cuda()
        with computing_for(self.track, model):
            cost = _train(
                model, tokenizer, base_corpus(self.data_source), [], 0, self.track.base, seed=0
            )
        save(model, tokenizer, folder)
        return {"made": "trained from scratch on the base corpus", **cost}

    def trained(
        self,
        documents: Sequence[Document],
        seed: int,
        stage: Training | None = None,
        start: Path | None = None,
    ) -> Path:
        """Folder of the model trained on `documents` from the base or from the model `start`: the
        target, or an oracle if the forget set is left out.
        """
        own = stage or self.track.stage
        return self.store.get(
            "models",
            self.trained_key(documents, seed, stage, start),
            lambda folder: self._build_trained(folder, documents, seed, own, start),
        )

    def _build_trained(
        self,
        folder: Path,
        documents: Sequence[Document],
        seed: int,
        stage: Training,
        start: Path | None,
    ) -> dict:
        model, tokenizer = self.load(start or self.base())
        count = self.track.replay
        replay = base_corpus(self.data_source)
        with computing_for(self.track, model):
            cost = _train(model, tokenizer, documents, replay, count, stage, seed)
        save(model, tokenizer, folder)
        made = (
            f"shared base {self.base_key}, then the task's documents with {count} base texts "
            "replayed in each epoch"
        )
        return {"made": made, "base": self.base_key, "seed": seed, **cost}

    def load(self, folder: Path) -> tuple[Any, Any]:
        """(model in evaluation mode, tokenizer) from an artifact's folder."""
        tokenizer = transformers.PreTrainedTokenizerFast.from_pretrained(folder)
        return self.load_model(folder), with_profile(tokenizer, self.track.profile)

    def load_model(self, folder: Path) -> Any:
        return load_model(folder, accelerated=self.track.gains_from_gpus)
