"""vLLM in a process of its own, whose weights are swapped so that one start serves all
checkpoints of a shape.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from safetensors import safe_open

from benchmark.errors import BadInput
from benchmark.inference.vllm_server import BEAT, Scores

START_LIMIT = 600.0  # seconds
SILENCE_LIMIT = 300.0  # of an engine that computes, which is heard of at each of its steps
STOP_LIMIT = 10.0
CPU_CACHE = 1  # GiB that it takes on a CPU, beside weights and libraries
_CHILD = "import sys; from benchmark.inference.vllm_server import serve; serve(*sys.argv[1:])"
_NOT_SHAPE = frozenset(
    {"_name_or_path", "_model_name_or_path", "dtype", "torch_dtype", "transformers_version"}
)

Tokens = Sequence[int]


class EngineDied(RuntimeError):
    """The engine's process ended, hung or did not start: the message has its exit code and its
    last words.
    """


def vllm_installed() -> bool:
    """Whether vLLM can be imported; this does not import it."""
    return find_spec("vllm") is not None


def architecture_of(folder: Path) -> str:
    """16 hex digits that two checkpoints share if the weights of one can take the place of the
    other's.

    They are the hash of config.json without names, paths, versions and precision, and of the names
    and shapes of the weights: vLLM would keep the old ones where new ones are missing. BadInput if
    there is no config.json.
    """
    config = {key: value for key, value in _config(folder).items() if key not in _NOT_SHAPE}
    return hashlib.sha256(
        json.dumps([config, _shapes(folder)], sort_keys=True).encode()
    ).hexdigest()[:16]


def _shapes(folder: Path) -> dict[str, list[int]]:
    shapes: dict[str, list[int]] = {}
    for path in folder.glob("*.safetensors"):
        with safe_open(path, framework="numpy") as tensors:
            shapes |= {name: tensors.get_slice(name).get_shape() for name in tensors.keys()}  # noqa: SIM118
    return shapes


def usual_backend(pretrained: bool) -> str:
    """What generates where nobody says it: vLLM for pretrained models, where it is installed."""
    return "vllm" if pretrained and vllm_installed() else "hf"


def require_backend(backend: str | None) -> None:
    """BadInput if what generates is not installed."""
    if backend == "vllm" and not vllm_installed():
        raise BadInput("vllm is not installed: run `make vllm`")


def _config(folder: Path) -> dict[str, Any]:
    try:
        return json.loads((folder / "config.json").read_text())
    except FileNotFoundError:
        raise BadInput(f"{folder} is not a checkpoint: config.json is missing") from None


class VllmEngine:
    """vLLM with the weights of `folder`, a checkpoint of config.json and safetensors; it knows
    token ids only.

    `dtype` is "float32", "bfloat16" or "float16"; no sequence, new tokens included, is longer than
    `max_model_len`. The constructor returns when the engine can be asked. BadInput if vLLM is not
    installed, ValueError if the model has fewer positions, EngineDied if the process ends or is not
    ready after `start_limit` seconds. An engine that has died stays dead.
    """

    def __init__(
        self,
        folder: Path,
        dtype: str,
        max_model_len: int,
        seed: int = 0,
        start_limit: float = START_LIMIT,
    ) -> None:
        require_backend("vllm")
        positions = _config(folder).get("max_position_embeddings", max_model_len)
        if max_model_len > positions:
            raise ValueError(
                f"max_model_len is {max_model_len}, but the model of {folder} has {positions} "
                "positions"
            )
        self.architecture, self.dtype, self.max_model_len = (
            architecture_of(folder),
            dtype,
            max_model_len,
        )
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 (it is closed with the engine)
        self._connection, self.process = _start(folder, dtype, max_model_len, seed, self._stderr)
        try:
            self._answer(start_limit, "did not start within")
        except EngineDied as error:  # not every shape of a model is one that vLLM can compute
            raise EngineDied(f"{error} (`--backend hf` generates without it)") from None

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def load(self, folder: Path) -> None:
        """Replaces the weights by those of `folder`; ValueError if its architecture is another
        one.
        """
        if architecture_of(folder) != self.architecture:
            raise ValueError(
                f"{folder} has another architecture than the weights that the engine was "
                "started with"
            )
        self._call("load", str(folder.resolve()))

    def generate(
        self,
        prompts: Sequence[Tokens],
        max_new_tokens: int,
        stop_ids: Tokens,
        n: int = 1,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> list[list[list[int]]]:
        """`n` continuations of each prompt, at most `max_new_tokens` ids each, ending before the
        first stop id.

        Temperature 0 is greedy; otherwise samples depend on `seed` and the prompt, so that equal
        prompts get equal samples whatever else is asked. ValueError if a prompt is empty or leaves
        too little room.
        """
        if n > 1 and temperature == 0:
            raise ValueError(f"{n} greedy continuations of a prompt would all be the same")
        self._check(prompts, max_new_tokens)
        return self._call(
            "generate", _plain(prompts), max_new_tokens, _plain([stop_ids])[0], n, temperature, seed
        )

    def score(self, sequences: Sequence[tuple[Tokens, Tokens]]) -> list[Scores]:
        """For each (prompt, answer): log-probability of each answer token and whether greedy
        decoding takes it.

        Both are (T,), of float32 natural logarithms and of bool; (T - 1,) where the prompt is
        empty, as the first token of a text has no probability. ValueError if a pair is empty or too
        long.
        """
        pairs = [(*_plain([prompt]), *_plain([answer])) for prompt, answer in sequences]
        self._check([prompt + answer for prompt, answer in pairs], 0)
        return self._call("score", pairs)

    def _check(self, sequences: Sequence[Tokens], more: int) -> None:
        """What vLLM would refuse would end its process, and what is too long it would cut."""
        lengths = [len(sequence) for sequence in sequences]
        if lengths and min(lengths) == 0:
            raise ValueError("a sequence without tokens has no continuation")
        if lengths and max(lengths) + more > self.max_model_len:
            raise ValueError(
                f"{max(lengths)} tokens and {more} new ones are more than {self.max_model_len}"
            )

    def _call(self, name: str, *arguments: Any) -> Any:
        try:
            self._connection.send((name, arguments))
        except OSError:
            raise self._death() from None
        return self._answer(SILENCE_LIMIT, "has been silent for")

    def _answer(self, limit: float, overdue: str) -> Any:
        try:
            while self._connection.poll(limit):
                if (answer := self._connection.recv()) != BEAT:
                    return answer
        except (EOFError, OSError):
            raise self._death() from None
        except (
            BaseException
        ):  # an answer that nobody waits for would be taken for that of the next question
            self._end(grace=0)
            raise
        self._end(grace=0)
        raise EngineDied(f"vLLM {overdue} {limit:g} s and was ended: {self._last_words()}")

    def _death(self) -> EngineDied:
        self._end(grace=STOP_LIMIT)
        return EngineDied(
            f"vLLM's process died (exit code {self.process.returncode}): {self._last_words()}"
        )

    def _last_words(self) -> str:
        if self._stderr.closed:
            return "the engine was closed"
        self._stderr.seek(0)
        lines = self._stderr.read().decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")

    def _end(self, grace: float) -> None:
        """Hangs up, at which the process ends, and kills it if it has not after `grace` seconds."""
        self._connection.close()
        try:
            self.process.wait(grace)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def close(self) -> None:
        """Ends the process; the engine cannot be asked any more."""
        self._end(grace=STOP_LIMIT)
        self._stderr.close()

    def __enter__(self) -> VllmEngine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()


class Engines:
    """At most one live engine: checkpoints of its architecture and precision are swapped in,
    others replace it.
    """

    def __init__(self) -> None:
        self._engine: VllmEngine | None = None

    def at(self, folder: Path, dtype: str, max_model_len: int) -> VllmEngine:
        """The engine with the weights that `folder` has now; what `at` returned before must not be
        used any more.

        A new one is started if the live one has another shape, precision or too little room, or has
        died.
        """
        engine = self._engine
        if engine is None or not self._fits(engine, folder, dtype, max_model_len):
            self.close()
            self._engine = engine = VllmEngine(folder, dtype, max_model_len)
        else:
            engine.load(folder)
        return engine

    @staticmethod
    def _fits(engine: VllmEngine, folder: Path, dtype: str, max_model_len: int) -> bool:
        same = (engine.architecture, engine.dtype) == (architecture_of(folder), dtype)
        return engine.alive and same and engine.max_model_len >= max_model_len

    def close(self) -> None:
        """Ends the live engine, if there is one."""
        if self._engine is not None:
            self._engine.close()
        self._engine = None

    def __enter__(self) -> Engines:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()


def _plain(sequences: Sequence[Tokens]) -> list[list[int]]:
    """Python's own integers: vLLM takes no others."""
    return [[int(token) for token in sequence] for sequence in sequences]


def _start(
    folder: Path, dtype: str, max_model_len: int, seed: int, stderr: Any
) -> tuple[Connection, subprocess.Popen[bytes]]:
    """The child's process and our end of the pipe to it.

    Workers of a run are daemons, which may not have `multiprocessing` children, and a process of
    ours would take its environment from us: hence `subprocess`.
    """
    ours, theirs = Pipe()
    options = {"dtype": dtype, "max_model_len": max_model_len, "seed": seed}
    arguments = [str(theirs.fileno()), str(os.getpid()), str(folder.resolve()), json.dumps(options)]
    process = subprocess.Popen(
        [sys.executable, "-c", _CHILD, *arguments],
        env=_environment(os.environ),
        pass_fds=[theirs.fileno()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=stderr,
    )
    theirs.close()
    return ours, process


def _environment(ours: Mapping[str, str]) -> dict[str, str]:
    """Our environment and what vLLM needs beside it; the size of its cache on the CPU, in GiB,
    can be set in ours.
    """
    settings = {
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": str(torch.get_num_threads()),
        # Threads that spin on are a hundred times slower where cores are shared, those that never
        # do lose a third of a small batch's time to waking up: these spin for about 30 us.
        "OMP_WAIT_POLICY": "PASSIVE",
        "GOMP_SPINCOUNT": "2000",
        "VLLM_ALLOW_LONG_MAX_MODEL_LEN": "1",  # by the one token that `score` throws away
        "VLLM_CPU_KVCACHE_SPACE": ours.get("VLLM_CPU_KVCACHE_SPACE", str(CPU_CACHE)),
        # the child is the engine: nothing is left if it dies
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        "VLLM_LOGGING_LEVEL": "ERROR",
        "VLLM_NO_USAGE_STATS": "1",
    }
    if not torch.cuda.is_available():
        settings["TORCHDYNAMO_DISABLE"] = (
            "1"  # to compile how ranks are counted takes seconds and a C++ compiler
        )
    return {**ours, **settings}
