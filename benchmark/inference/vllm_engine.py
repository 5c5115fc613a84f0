"""vLLM in a separate process, whose weights are swapped so that one start serves all checkpoints
of the same architecture.
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
from benchmark.runtime.threads import SPINNING

START_LIMIT = 600.0  # seconds
SILENCE_LIMIT = 300.0  # seconds without a heartbeat from a busy engine
STOP_LIMIT = 10.0
CPU_CACHE = 1  # GiB of KV cache on a CPU, in addition to weights and libraries
_CHILD = "import sys; from benchmark.inference.vllm_server import serve; serve(*sys.argv[1:])"
_NOT_SHAPE = frozenset(
    {"_name_or_path", "_model_name_or_path", "dtype", "torch_dtype", "transformers_version"}
)

Tokens = Sequence[int]


class EngineDied(RuntimeError):
    """The engine's process ended, hung or did not start. The message has the last line of its
    standard error and, if it ended by itself, its exit code.
    """


def vllm_installed() -> bool:
    """Whether vLLM is installed; does not import it."""
    return find_spec("vllm") is not None


def architecture_of(folder: Path) -> str:
    """16 hex digits that two checkpoints share if the weights of one can replace the other's.

    They are a hash of config.json without names, paths, versions and precision, and of the names
    and shapes of the weights, since vLLM would keep old weights where new ones are missing.
    BadInput if there is no config.json.
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
    """The default generation backend: vLLM for pretrained models if it is installed, else hf."""
    return "vllm" if pretrained and vllm_installed() else "hf"


def require_backend(backend: str | None) -> None:
    """BadInput if the backend is vLLM and it is not installed."""
    if backend == "vllm" and not vllm_installed():
        raise BadInput("vllm is not installed: run `make vllm`")


def _config(folder: Path) -> dict[str, Any]:
    try:
        return json.loads((folder / "config.json").read_text())
    except FileNotFoundError:
        raise BadInput(f"{folder} is not a checkpoint: config.json is missing") from None


class VllmEngine:
    """vLLM with the weights of `folder`, a checkpoint of config.json and safetensors; works on
    token ids only.

    `dtype` is "float32", "bfloat16" or "float16"; a sequence, new tokens included, has at most
    `max_model_len` tokens. The constructor returns when the engine is ready. BadInput if vLLM is
    not installed, ValueError if the model has fewer positions, EngineDied if the process ends or is
    not ready after `start_limit` seconds. An engine that has died cannot be restarted.
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
        except EngineDied as error:  # vLLM does not support every architecture
            raise EngineDied(f"{error} (`--backend hf` generates without it)") from None

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def load(self, folder: Path) -> None:
        """Replaces the weights by those of `folder`; ValueError if its architecture differs."""
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

        Temperature 0 is greedy. Otherwise samples depend only on `seed` and the prompt: equal
        prompts get equal samples whatever the rest of the batch. ValueError if a prompt is empty or
        leaves too little room, or if `n` greedy continuations are requested with n > 1.
        """
        if n > 1 and temperature == 0:
            raise ValueError(f"{n} greedy continuations of a prompt would all be the same")
        self._check(prompts, max_new_tokens)
        return self._call(
            "generate", _plain(prompts), max_new_tokens, _plain([stop_ids])[0], n, temperature, seed
        )

    def score(self, sequences: Sequence[tuple[Tokens, Tokens]]) -> list[Scores]:
        """For each (prompt, answer): the log-probability of each answer token and whether it is the
        greedy one.

        Both are (T,), float32 in nats and bool; (T - 1,) if the prompt is empty, since the first
        token of a text has no probability. ValueError if a pair is empty or too long.
        """
        pairs = [(*_plain([prompt]), *_plain([answer])) for prompt, answer in sequences]
        self._check([prompt + answer for prompt, answer in pairs], 0)
        return self._call("score", pairs)

    def _check(self, sequences: Sequence[Tokens], more: int) -> None:
        """ValueError for sequences on which vLLM would exit (empty) or which it would truncate."""
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
        ):  # the pending answer would be taken for the answer to the next request
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
        """Closes the pipe, upon which the process should exit; kills it after `grace` seconds."""
        self._connection.close()
        try:
            self.process.wait(grace)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def close(self) -> None:
        """Ends the process; the engine cannot be used afterwards."""
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
    """At most one live engine: checkpoints of the same architecture and precision are swapped in,
    others start a new engine.
    """

    def __init__(self) -> None:
        self._engine: VllmEngine | None = None

    def at(self, folder: Path, dtype: str, max_model_len: int) -> VllmEngine:
        """The engine, loaded with the current weights of `folder`; an engine that `at` returned
        before must not be used any more.

        A new engine is started if the live one has a different architecture or precision, too
        little room, or has died.
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
    """Token ids as Python integers, the only ones that vLLM accepts."""
    return [[int(token) for token in sequence] for sequence in sequences]


def _start(
    folder: Path, dtype: str, max_model_len: int, seed: int, stderr: Any
) -> tuple[Connection, subprocess.Popen[bytes]]:
    """Starts the child process; returns our end of the pipe to it, and the process.

    It uses `subprocess` because the workers of a run are daemons, which may not have
    `multiprocessing` children, and because those would inherit our environment unchanged.
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
    """Our environment with vLLM's settings added; ours may set the size of the KV cache on the CPU,
    in GiB.
    """
    settings = {
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": str(torch.get_num_threads()),
        "OMP_WAIT_POLICY": "PASSIVE",
        **SPINNING,
        "VLLM_ALLOW_LONG_MAX_MODEL_LEN": "1",  # by the one token that `score` discards
        "VLLM_CPU_KVCACHE_SPACE": ours.get("VLLM_CPU_KVCACHE_SPACE", str(CPU_CACHE)),
        # the engine runs in the child itself, so that nothing outlives it
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        "VLLM_LOGGING_LEVEL": "ERROR",
        "VLLM_NO_USAGE_STATS": "1",
    }
    if not torch.cuda.is_available():
        settings["TORCHDYNAMO_DISABLE"] = (
            "1"  # compiling the computation of token ranks takes seconds and a C++ compiler
        )
    return {**ours, **settings}
