"""Runs a call in several processes that form one group: gloo, or NCCL if each has a GPU."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist

from benchmark.runtime import gpus
from benchmark.runtime.orphans import end_with

Result = TypeVar("Result")
CALL, STORE, RESULT, ERROR = "call", "store", "result", "error"
PATIENCE = timedelta(hours=6)  # one process may evaluate alone while the others wait
POLL = 0.1  # seconds


class InAnotherProcess(Exception):
    """The traceback of an error in another process."""


def together(count: int, call: Callable[..., Result], *arguments: Any) -> Result:
    """Runs `call`, which must be importable, in `count` processes and returns the result of the
    first; with a count of 1, runs it in this process. RuntimeError if there are GPUs but fewer than
    processes, or with the message of the first process that fails; the others are then killed.
    """
    if count == 1:
        return call(*arguments)
    if 0 < (there := torch.cuda.device_count()) < count:
        raise RuntimeError(f"{count} processes need a GPU each, this machine shows {there}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / CALL).write_bytes(pickle.dumps((call, arguments)))
        threads = max(1, torch.get_num_threads() // count)
        ranks = [_started(folder, rank, count, threads) for rank in range(count)]
        try:
            _wait(ranks, folder)
        finally:
            for process in ranks:
                process.kill()
                process.wait()
        return pickle.loads((folder / RESULT).read_bytes())


def _started(folder: Path, rank: int, count: int, threads: int) -> subprocess.Popen:
    places = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count}
    environment = os.environ | {name: str(value) for name, value in places.items()}
    if torch.cuda.is_available():
        environment["CUDA_VISIBLE_DEVICES"] = gpus.shown(torch.cuda.device_count())[rank]
    command = [sys.executable, "-m", __name__, str(folder), str(threads), str(os.getpid())]
    return subprocess.Popen(command, env=environment)


def _wait(ranks: Sequence[subprocess.Popen], folder: Path) -> None:
    """Returns once all processes have ended; RuntimeError as soon as one fails."""
    codes = [process.poll() for process in ranks]
    while None in codes and not any(codes):
        time.sleep(POLL)
        codes = [process.poll() for process in ranks]
    if not any(codes):
        return
    said = folder / ERROR
    if said.exists():
        line, trace = json.loads(said.read_text())
        raise RuntimeError(line) from InAnotherProcess(trace)
    rank, code = next((rank, code) for rank, code in enumerate(codes) if code)
    raise RuntimeError(f"process {rank + 1} of {len(ranks)}: exit code {code}")


def _take_part(folder: Path, threads: int, parent: int) -> None:
    end_with(parent)
    torch.set_num_threads(threads)
    rank, count = (int(os.environ[name]) for name in ("RANK", "WORLD_SIZE"))
    backend = "nccl" if torch.cuda.is_available() else "gloo"
    address = f"file://{folder / STORE}"
    dist.init_process_group(
        backend, init_method=address, rank=rank, world_size=count, timeout=PATIENCE
    )
    try:
        call, arguments = pickle.loads((folder / CALL).read_bytes())
        result = call(*arguments)
    except BaseException as error:  # even an exit() of a method
        line = traceback.format_exception_only(error)[-1].strip()
        said = json.dumps([f"process {rank + 1} of {count}: {line}", traceback.format_exc()])
        with suppress(FileExistsError):  # later failures follow from the first
            os.link(_written(folder / f"{ERROR}-{rank}", said), folder / ERROR)
        os._exit(1)  # the others may never get to the point of leaving the group
    if rank == 0:
        (folder / RESULT).write_bytes(pickle.dumps(result))
    dist.barrier()
    dist.destroy_process_group()


def _written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


if __name__ == "__main__":
    _take_part(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
